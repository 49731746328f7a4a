package kms

import (
	"errors"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/policy"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// maxPolicy is the longest key policy in bytes ("Resource quotas" in the KMS
// developer guide; the model's bound is wider).
const maxPolicy = 32768

// newPolicy makes the record of a policy that a key is to get. It refuses texts
// that are no key policy, principals that do not exist, and, unless the caller
// bypasses that, a policy under which the caller could not put another one.
func (s *Service) newPolicy(tx *fsm.Txn, c *call.Call, k *state.Key, text string, bypass bool) (*state.KeyPolicy, error) {
	d, err := parsePolicy(text)
	if err != nil {
		return nil, err
	}
	ids, err := policyIDs(tx, d)
	if err != nil {
		return nil, err
	}
	if !bypass {
		err = s.checkLockout(tx, c, k, d.Bind(ids))
	}
	return &state.KeyPolicy{Text: text, IDs: ids}, err
}

// parsePolicy refuses a text that is no key policy.
func parsePolicy(text string) (*policy.Document, error) {
	if len(text) > maxPolicy {
		return nil, limitExceeded("The key policy must not be larger than %d bytes.", maxPolicy)
	}
	d, err := policy.Parse(policy.KeyPolicy, text)
	if err != nil {
		return nil, malformedPolicy(err.Error())
	}
	return d, nil
}

// policyIDs finds the users and roles that a policy names, by reads that guard
// the transaction, and answers their unique ids. AWS refuses whom it does not
// know, accounts as well ("Key policies in AWS KMS" in the KMS developer guide).
func policyIDs(tx *fsm.Txn, d *policy.Document) (map[string]string, error) {
	for _, account := range d.Accounts() {
		if _, err := accountPrincipal(tx, account, account); err != nil {
			return nil, unknownPrincipal(err)
		}
	}
	var ids map[string]string
	for _, text := range d.Principals() {
		id, err := policyID(tx, text)
		if err != nil {
			return nil, unknownPrincipal(err)
		}
		if ids == nil {
			ids = make(map[string]string)
		}
		ids[text] = id
	}
	return ids, nil
}

// policyID is the unique id of a user or role, named by its ARN or by the id
// itself.
func policyID(tx *fsm.Txn, text string) (string, error) {
	known, err := state.Identities.Get(tx, text)
	if err != nil || known != nil && known.Kind != state.GroupKind {
		return text, err
	}
	p, err := principal(tx, text)
	if err != nil {
		return "", err
	}
	return p.ID, nil
}

// unknownPrincipal turns the refusal of a principal into that of a policy.
func unknownPrincipal(err error) error {
	var refused *call.Error
	if errors.As(err, &refused) {
		return malformedPolicy("Policy contains a statement with one or more invalid principals.")
	}
	return err
}

// checkLockout refuses a policy that does not leave the caller PutKeyPolicy. What
// it leaves to the account's own policies is left: those can be changed ("Policy
// lockout safety check" in the KMS developer guide).
func (s *Service) checkLockout(tx *fsm.Txn, c *call.Call, k *state.Key, d *policy.Document) error {
	caller, err := s.authz.Caller(tx, &c.Principal)
	if err != nil {
		return err
	}
	keys := &conditions{call: c, caller: caller, view: tx.View(), access: &access{action: "PutKeyPolicy"}, key: k}
	r := &policy.Request{Action: "kms:PutKeyPolicy", Resource: k.ARN(), Account: k.AccountID, Context: keys}
	decision := caller.Decide(r, d, nil)
	if keys.failure != nil {
		return keys.failure
	}
	if decision.Outcome != policy.Allow && decision.By == policy.ByResource {
		return malformedPolicy("The new key policy will not allow you to update the key policy in the future.")
	}
	return nil
}

func malformedPolicy(message string) error {
	return &call.Error{Code: "MalformedPolicyDocumentException", Message: message, Status: 400}
}
