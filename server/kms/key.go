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
	arn   string
	store *state.CustomKeyStore // that it is in; nil of most
}

// state is the key's state as everybody sees it: a key whose custom key store is not
// connected is unavailable, and gets its own state back when it is.
func (k key) state() state.KeyState {
	if k.store != nil && !k.store.Connected() && (k.State == state.Enabled || k.State == state.Disabled) {
		return state.Unavailable
	}
	return k.State
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
	return s.keyFor(tx, c, to(c), text, accepts)
}

// keyFor is key where more than the operation's name is authorized.
func (s *Service) keyFor(tx *fsm.Txn, c *call.Call, a access, text string, accepts named) (key, error) {
	k, err := s.lookup(tx, c, a, text, accepts)
	if err != nil {
		return k, err
	}
	return k, s.states.check(c.Operation, k)
}

// lookup is keyFor without a look at the state. Whether a key or an alias exists
// in another account is said to nobody who may not use it: AWS's wording of the
// refusal leaves it open.
func (s *Service) lookup(tx *fsm.Txn, c *call.Call, a access, text string, accepts named) (key, error) {
	ref, err := parseReference(c, text)
	if err != nil {
		return key{}, err
	}
	if ref.alias != "" {
		if accepts == byID {
			return key{}, notFound("Invalid keyId '%s'", text)
		}
		if ref.id, err = target(tx, ref); err != nil {
			return key{}, err
		}
	}
	found, err := state.Keys.Get(tx, ref.account, ref.region, ref.id)
	if err != nil {
		return key{}, err
	}
	a.alias = ref.alias
	if ref.id == "" {
		if err := s.firstUse(tx, c, a, ref); err != nil {
			return key{}, err
		}
	}
	if err := s.authorize(tx, c, a, ref, found); err != nil {
		return key{}, err
	}
	if ref.id == "" {
		return key{}, notFound("Alias %s is not found.", ref.aliasARN())
	}
	if found == nil {
		return key{}, notFound("Key '%s' does not exist", ref.keyARN())
	}
	return charged(tx, c, found)
}

// ownKey reads a key of the caller's account for an operation that is authorized
// without it.
func (s *Service) ownKey(tx *fsm.Txn, c *call.Call, text string) (key, error) {
	ref, err := parseReference(c, text)
	switch {
	case err != nil:
		return key{}, err
	case ref.alias != "":
		return key{}, notFound("Invalid keyId '%s'", text)
	case ref.account != c.Principal.AccountID:
		return key{}, unauthorized(c, c.Operation)
	}
	found, err := state.Keys.Get(tx, ref.account, ref.region, ref.id)
	if err != nil {
		return key{}, err
	}
	if found == nil {
		return key{}, notFound("Key '%s' does not exist", ref.keyARN())
	}
	k, err := used(tx, c, found)
	if err != nil {
		return key{}, err
	}
	return k, s.states.check(c.Operation, k)
}

// resolve is the id of the key that a request names, "" where it names none. It
// refuses nothing: whoever goes on to use the key will.
func (s *Service) resolve(tx *fsm.Txn, c *call.Call, text string) (string, error) {
	ref, err := parseReference(c, text)
	if err != nil || ref.alias == "" {
		return ref.id, nil
	}
	return target(tx, ref)
}

// target is the id of the key that an alias points to, "" where there is no such
// alias.
func target(tx *fsm.Txn, ref reference) (string, error) {
	alias, err := state.Aliases.Get(tx, ref.account, ref.region, ref.alias)
	if err != nil || alias == nil {
		return "", err
	}
	return alias.KeyID, nil
}

// used makes a key a resource of the call, and reads the custom key store that it is
// in by guard.
func used(tx *fsm.Txn, c *call.Call, k *state.Key) (key, error) {
	arn := k.ARN()
	c.Record.Resources = append(c.Record.Resources, ledger.Resource{AccountID: k.AccountID, Type: keyResource, ARN: arn})
	if k.KeyStoreID == "" {
		return key{Key: k, arn: arn}, nil
	}
	store, err := state.CustomKeyStores.Get(tx, k.AccountID, k.Region, k.KeyStoreID)
	if err == nil && store == nil {
		err = damaged("custom key store")
	}
	return key{Key: k, arn: arn, store: store}, err
}

// keyResource is the type of keys and of aliases in records: CloudTrail tells
// them apart by their ARNs alone ("CreateAlias" among the log entry examples of
// the KMS developer guide).
const keyResource = "AWS::KMS::Key"

// put writes a key that is new or has changed. It keeps the agenda of automatic
// rotations, so that whoever changes a key's state need not think of it.
func put(tx *fsm.Txn, k *state.Key) error {
	before, err := state.Keys.Get(tx, k.AccountID, k.Region, k.ID)
	if err != nil {
		return err
	}
	if err := reschedule(tx, before, k); err != nil {
		return err
	}
	return state.Keys.Put(tx, k, k.AccountID, k.Region, k.ID)
}

// touch says that something has changed that the key owns.
func touch(tx *fsm.Txn, k *state.Key) error {
	return state.Keys.Touch(tx, k.AccountID, k.Region, k.ID)
}

// reserved says whether a name is of AWS's own: alias/aws/….
func reserved(alias string) bool { return strings.HasPrefix(alias, "alias/aws/") }
