package kms

import (
	"fmt"

	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// verdict is what a key's state means for an operation.
type verdict uint8

const (
	allowed     verdict = iota
	disabled            // DisabledException: <ARN> is disabled.
	deletion            // KMSInvalidStateException: <ARN> is pending deletion.
	noDeletion          // KMSInvalidStateException: <ARN> is not pending deletion.
	importing           // KMSInvalidStateException: <ARN> is pending import.
	unavailable         // KMSInvalidStateException: <ARN> is unavailable.
	creating            // KMSInvalidStateException: <ARN> is creating.
	updating            // KMSInvalidStateException: <ARN> is updating.
)

// verdicts are what the states mean for one operation. A key that is pending
// replica deletion is like one that is pending deletion.
type verdicts struct{ enabled, disabled, pendingDeletion, pendingImport, unavailable, creating, updating verdict }

// stateTable is "Key states of AWS KMS keys" in the KMS developer guide.
type stateTable map[string]verdicts

func newStateTable() stateTable {
	always := verdicts{}
	use := verdicts{allowed, disabled, deletion, importing, unavailable, creating, allowed}
	change := verdicts{allowed, allowed, deletion, allowed, allowed, allowed, allowed}
	toggle := verdicts{allowed, allowed, deletion, importing, allowed, creating, updating}
	settle := verdicts{allowed, allowed, deletion, allowed, allowed, creating, updating}
	relate := verdicts{allowed, disabled, deletion, importing, unavailable, creating, updating}
	// Keys that are pending import or unavailable have no automatic rotation: their
	// type refuses the operation (rotatable).
	schedule := verdicts{allowed, disabled, deletion, allowed, allowed, creating, updating}
	return stateTable{
		"CancelKeyDeletion":                   {noDeletion, noDeletion, allowed, noDeletion, noDeletion, noDeletion, noDeletion},
		"CreateAlias":                         change,
		"CreateGrant":                         {allowed, disabled, deletion, importing, allowed, creating, allowed},
		"Decapsulate":                         use,
		"Decrypt":                             use,
		"DeleteAlias":                         always,
		"DeleteImportedKeyMaterial":           always,
		"DeriveSharedSecret":                  use,
		"DescribeKey":                         always,
		"DisableKey":                          toggle,
		"DisableKeyRotation":                  schedule,
		"EnableKey":                           toggle,
		"EnableKeyRotation":                   schedule,
		"Encapsulate":                         use,
		"Encrypt":                             use,
		"GenerateDataKey":                     use,
		"GenerateDataKeyPair":                 use,
		"GenerateDataKeyPairWithoutPlaintext": use,
		"GenerateDataKeyWithoutPlaintext":     use,
		"GenerateMac":                         use,
		"GetKeyLastUsage":                     always,
		"GetKeyPolicy":                        always,
		"GetKeyRotationStatus":                always,
		"GetParametersForImport":              settle,
		"GetPublicKey":                        use,
		"ImportKeyMaterial":                   settle,
		"ListAliases":                         always,
		"ListGrants":                          always,
		"ListKeyPolicies":                     always,
		"ListKeyRotations":                    always,
		"ListResourceTags":                    always,
		"PutKeyPolicy":                        always,
		"ReEncrypt":                           use,
		"ReplicateKey":                        relate,
		"RetireGrant":                         always,
		"RevokeGrant":                         always,
		"RotateKeyOnDemand":                   {allowed, disabled, deletion, importing, allowed, creating, updating},
		"ScheduleKeyDeletion":                 settle,
		"Sign":                                use,
		"TagResource":                         change,
		"UntagResource":                       change,
		"UpdateAlias":                         change, // of the new target
		"UpdateKeyDescription":                change,
		"UpdatePrimaryRegion":                 relate,
		"Verify":                              use,
		"VerifyMac":                           use,
	}
}

// check refuses an operation that the key's state does not allow.
func (t stateTable) check(operation string, k key) error {
	row, known := t[operation]
	if !known {
		return fmt.Errorf("no rule says in which key states %s works", operation)
	}
	switch row.of(k.state()) {
	case allowed:
		return nil
	case disabled:
		return call.Errorf("DisabledException", "%s is disabled.", k.arn)
	case deletion:
		if k.State == state.PendingReplicaDeletion {
			return invalidState("%s is pending replica deletion.", k.arn)
		}
		return invalidState("%s is pending deletion.", k.arn)
	case noDeletion:
		return invalidState("%s is not pending deletion.", k.arn)
	case importing:
		return invalidState("%s is pending import.", k.arn)
	case creating:
		return invalidState("%s is creating.", k.arn)
	case updating:
		return invalidState("%s is updating.", k.arn)
	}
	if k.store != nil && k.store.Type == state.ExternalKeyStore {
		return invalidState("%s", notConnected)
	}
	return invalidState("%s is unavailable.", k.arn)
}

func (v verdicts) of(s state.KeyState) verdict {
	switch s {
	case state.Enabled:
		return v.enabled
	case state.Disabled:
		return v.disabled
	case state.PendingDeletion, state.PendingReplicaDeletion:
		return v.pendingDeletion
	case state.PendingImport:
		return v.pendingImport
	case state.Creating:
		return v.creating
	case state.Updating:
		return v.updating
	}
	return v.unavailable // also of states that a newer release knows
}
