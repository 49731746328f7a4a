package kms

import (
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// key is a KMS key that a call may use, and its ARN.
type key struct {
	*state.Key
	arn string
}

// named says which names of a key an operation accepts.
type named uint8

const (
	byID    named = iota // key id or key ARN
	byAlias              // also alias name or alias ARN
)

// key reads the key that a request names and decides whether this call may go
// on with it: that it exists, that the caller is authorized, that its state
// allows the operation. The read guards the transaction, and with it everything
// that the key owns (state.Key). The key becomes a resource of the record.
func (s *Service) key(tx *fsm.Txn, c *call.Call, text string, accepts named) (key, error) {
	return s.keyTo(tx, c, c.Operation, text, accepts)
}

// keyTo is key where the action that is authorized is not called as the
// operation.
func (s *Service) keyTo(tx *fsm.Txn, c *call.Call, action, text string, accepts named) (key, error) {
	k, err := s.lookup(tx, c, action, text, accepts)
	if err != nil {
		return k, err
	}
	return k, s.states.check(c.Operation, k)
}

// lookup is keyTo without a look at the state.
func (s *Service) lookup(tx *fsm.Txn, c *call.Call, action, text string, accepts named) (key, error) {
	ref, err := parseReference(c, text)
	if err != nil {
		return key{}, err
	}
	if ref.alias != "" && accepts == byID {
		return key{}, notFound("Invalid keyId '%s'", text)
	}
	if err := authorize(c, action, ref.account); err != nil {
		return key{}, err
	}
	if ref.alias != "" {
		alias, err := state.Aliases.Get(tx, ref.account, ref.region, ref.alias)
		if err != nil {
			return key{}, err
		}
		if alias == nil {
			return key{}, notFound("Alias %s is not found.", ref.aliasARN())
		}
		ref.id = alias.KeyID
	}
	found, err := state.Keys.Get(tx, ref.account, ref.region, ref.id)
	if err != nil {
		return key{}, err
	}
	if found == nil {
		return key{}, notFound("Key '%s' does not exist", ref.keyARN())
	}
	return used(c, found), nil
}

// used makes a key a resource of the call.
func used(c *call.Call, k *state.Key) key {
	arn := k.ARN()
	c.Record.Resources = append(c.Record.Resources, ledger.Resource{AccountID: k.AccountID, Type: keyResource, ARN: arn})
	return key{Key: k, arn: arn}
}

// keyResource is the type of keys and of aliases in records: CloudTrail tells
// them apart by their ARNs alone ("CreateAlias" among the log entry examples of
// the KMS developer guide).
const keyResource = "AWS::KMS::Key"

// authorize decides whether the caller may take an action, "Encrypt" for
// kms:Encrypt, with the keys and aliases of an account. Until policies are evaluated, the principals of the
// account may do everything and nobody else anything.
//
// It answers before anything of another account is read: whether a key exists
// there is none of the caller's business, and AWS's wording says so.
func authorize(c *call.Call, action, account string) error {
	if account == c.Principal.AccountID {
		return nil
	}
	return denied("User: %s is not authorized to perform: kms:%s on this resource because the resource does not "+
		"exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly "+
		"denies access", c.Principal.ARN, action)
}

// put writes a key that has changed.
func put(tx *fsm.Txn, k *state.Key) error {
	return state.Keys.Put(tx, k, k.AccountID, k.Region, k.ID)
}

// touch says that something has changed that the key owns.
func touch(tx *fsm.Txn, k *state.Key) error {
	return state.Keys.Touch(tx, k.AccountID, k.Region, k.ID)
}

// managed says whether a name is of AWS's own: alias/aws/….
func managed(alias string) bool { return strings.HasPrefix(alias, "alias/aws/") }
