package kms

import (
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
)

// access is what a call wants to do with a key: what is authorized.
type access struct {
	action  string            // "Encrypt" for kms:Encrypt
	context encryptionContext // of the request; nil where the operation has none
	tokens  []string          // grant tokens
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
	return denied("User: %s is not authorized to perform: kms:%s on this resource because the resource does not "+
		"exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly "+
		"denies access", c.Principal.ARN, a.action)
}

// allowed is authorize without the exception. Until policies are evaluated, the
// principals of the key's account may do everything and nobody else anything.
func (s *Service) allowed(_ *fsm.Txn, c *call.Call, _ access, ref reference) (bool, error) {
	return ref.account == c.Principal.AccountID, nil
}
