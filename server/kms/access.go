package kms

import (
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// access is what a call wants to do with a key: what is authorized.
type access struct {
	action  string            // "Encrypt" for kms:Encrypt
	context encryptionContext // of the request; nil where the operation has none
	tokens  []string          // grant tokens
	grant   *state.Grant      // that CreateGrant is to make; nil for everything else
}

// to is the access of an operation that is authorized under its own name.
func to(c *call.Call) access { return access{action: c.Operation} }

// authorize decides whether the caller may have access to the key of a
// reference, which may name one that does not exist.
func (s *Service) authorize(tx *fsm.Txn, c *call.Call, a access, ref reference) error {
	allowed, err := s.allowed(tx, c, a, ref)
	if err != nil || allowed {
		return err
	}
	return unauthorized(c, a.action)
}

// unauthorized refuses a caller as AWS does across accounts, without saying
// whether what it named exists.
func unauthorized(c *call.Call, action string) error {
	return denied("User: %s is not authorized to perform: kms:%s on this resource because the resource does not "+
		"exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly "+
		"denies access", c.Principal.ARN, action)
}

// allowed is authorize without the exception. Until policies are evaluated, the
// principals of the key's account may do everything, and everybody else what a
// grant allows.
func (s *Service) allowed(tx *fsm.Txn, c *call.Call, a access, ref reference) (bool, error) {
	if err := checkTokens(a.tokens); err != nil {
		return false, err
	}
	if ref.account == c.Principal.AccountID {
		return true, nil
	}
	_, ok, err := grantsAllow(tx, ref, grantees(&c.Principal), a)
	return ok, err
}
