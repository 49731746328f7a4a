package kms

import (
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/policy"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// access is what a call wants to do with a key: what is authorized. The rest is
// what conditions can ask for (conditions).
type access struct {
	action    string            // "Encrypt" for kms:Encrypt
	context   encryptionContext // of the request; nil where the operation has none
	tokens    []string          // grant tokens
	grant     *state.Grant      // that CreateGrant is to make; nil for everything else
	algorithm string            // of encryption, signing, MAC or key agreement; "" where the operation has none
	alias     string            // by which the request names the key; "" where by its id
	sameAs    string            // the id of ReEncrypt's other key
	source    string            // the ARN on account of which a service calls; "" for others
	tags      []tag             // of the request
	tagKeys   []string          // of tags that the request takes away
	more      conditionValues   // what few operations have
}

// conditionValues are values of condition keys by their names in lower case.
type conditionValues map[string][]string

// to is the access of an operation that is authorized under its own name.
func to(c *call.Call) access { return access{action: c.Operation} }

// with is to, with a value of a condition key.
func with(c *call.Call, key, value string) access {
	return access{action: c.Operation, more: conditionValues{key: {value}}}
}

// authorize refuses a caller who may not have access to the key of a reference.
// k is the key, nil where it does not exist.
func (s *Service) authorize(tx *fsm.Txn, c *call.Call, a access, ref reference, k *state.Key) error {
	d, r, err := s.decide(tx, c, &a, ref, k)
	if err != nil {
		return err
	}
	return refusal(d, r)
}

// decide decides an access to the key of a reference. A key that does not exist
// has the default policy, so that only those hear that it does not exist who
// could use it. Grants are looked at where policies do not decide.
func (s *Service) decide(tx *fsm.Txn, c *call.Call, a *access, ref reference, k *state.Key) (policy.Decision, *policy.Request, error) {
	if err := checkTokens(a.tokens); err != nil {
		return policy.Decision{}, nil, err
	}
	caller, err := s.authz.Caller(tx, &c.Principal)
	if err != nil {
		return policy.Decision{}, nil, err
	}
	if c.Principal.Service != nil {
		a.source = c.Principal.Service.SourceARN
	}
	document, err := s.authz.KeyPolicy(tx.View(), ref.account, k) // guarded by the key
	if err != nil {
		return policy.Decision{}, nil, err
	}
	keys := &conditions{call: c, caller: caller, view: tx.View(), access: a, key: k}
	r := &policy.Request{Action: "kms:" + a.action, Resource: ref.keyARN(), Account: ref.account, Context: keys}
	if ref.account != caller.Account {
		open, err := isOpen(tx, ref.account)
		if err != nil {
			return policy.Decision{}, nil, err
		}
		if !open || !acrossAccounts(a.action) {
			r.Principal = &caller.Principal
			return policy.Decision{By: policy.ByResource, Foreign: true}, r, nil
		}
	}
	var failure error
	d := caller.Decide(r, document, func() policy.Reach {
		reach, err := grantReach(tx, ref, &c.Principal, a)
		failure = err
		return reach
	})
	if failure == nil {
		failure = keys.failure
	}
	return d, r, failure
}

// isOpen says whether the keys of another account serve anybody: not while it is
// closed. The caller's own account is the front end's business.
func isOpen(tx *fsm.Txn, accountID string) (bool, error) {
	account, err := state.Accounts.Get(tx, accountID)
	return account == nil || account.Closed == 0, err
}

// authorizeOther refuses a caller who may not take an action on something that
// has no policy of its own: an alias, by its ARN, or "*", the account.
func (s *Service) authorizeOther(tx *fsm.Txn, c *call.Call, a access, resource string) error {
	return s.authorizeBare(tx, c, a, resource, nil)
}

// authorizeNew is authorizeOther of a key that is to be created: conditions can
// ask what it will be.
func (s *Service) authorizeNew(tx *fsm.Txn, c *call.Call, a access, k *state.Key) error {
	return s.authorizeBare(tx, c, a, anyResource, k)
}

func (s *Service) authorizeBare(tx *fsm.Txn, c *call.Call, a access, resource string, k *state.Key) error {
	caller, err := s.authz.Caller(tx, &c.Principal)
	if err != nil {
		return err
	}
	keys := &conditions{call: c, caller: caller, view: tx.View(), access: &a, key: k}
	r := &policy.Request{Action: "kms:" + a.action, Resource: resource, Account: c.Principal.AccountID, Context: keys}
	return refusal(caller.Decide(r, nil, nil), r)
}

// acrossAccounts says whether an action can be taken on a key of another account,
// whatever policies say ("Cross-account use" in "AWS KMS permissions" of the KMS
// developer guide).
func acrossAccounts(action string) bool {
	switch action {
	case "CreateGrant", "Decapsulate", "Decrypt", "DeriveSharedSecret", "DescribeKey", "Encapsulate", "Encrypt",
		"GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext",
		"GenerateMac", "GetKeyLastUsage", "GetKeyRotationStatus", "GetPublicKey", "ListGrants", "ListKeyRotations",
		"ReEncryptFrom", "ReEncryptTo", "RetireGrant", "RevokeGrant", "Sign", "Verify", "VerifyMac":
		return true
	}
	return false
}

// anyResource is the resource of actions that concern no key or alias.
const anyResource = "*"

// refusal is the exception of a decision, nil where it allows.
func refusal(d policy.Decision, r *policy.Request) error {
	if d.Outcome == policy.Allow {
		return nil
	}
	return denied("%s", d.Message(r))
}

// unauthorized refuses a caller as AWS does across accounts, without saying
// whether what it named exists.
func unauthorized(c *call.Call, action string) error {
	r := &policy.Request{Principal: &policy.Principal{ARN: c.Principal.ARN}, Action: "kms:" + action}
	return denied("%s", policy.Decision{Foreign: true}.Message(r))
}
