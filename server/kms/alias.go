package kms

import (
	"context"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// maxAliases is how many aliases a key can have ("Resource quotas" in the KMS
// developer guide).
const maxAliases = 50

// aliasTargetRequest is the request of CreateAlias and of UpdateAlias.
type aliasTargetRequest struct{ AliasName, TargetKeyID string }

func aliasTargetShape() *shape.Struct[aliasTargetRequest] {
	type r = aliasTargetRequest
	return shape.Of(
		shape.Text("AliasName", aliasNameType(), func(q *r) *string { return &q.AliasName }).Required(),
		shape.Text("TargetKeyId", keyIDType(), func(q *r) *string { return &q.TargetKeyID }).Required(),
	)
}

type aliasParameters struct {
	AliasName   string `json:"aliasName"`
	TargetKeyID string `json:"targetKeyId,omitempty"`
}

func (s *Service) createAlias(_ context.Context, tx *fsm.Txn, c *call.Call, req *aliasTargetRequest) (any, error) {
	k, current, err := s.aliasAndTarget(tx, c, req)
	if err != nil {
		return nil, err
	}
	if current != nil {
		return nil, call.Errorf("AlreadyExistsException", "An alias with the name %s already exists", current.ARN())
	}
	now := c.Time.UnixMilli()
	alias := &state.Alias{
		AccountID: k.AccountID, Region: k.Region, Name: req.AliasName, KeyID: k.ID, Created: now, Updated: now,
	}
	nameAlias(c, alias)
	changed(c, k)
	return nil, attach(tx, alias, k.Key)
}

func (s *Service) updateAlias(_ context.Context, tx *fsm.Txn, c *call.Call, req *aliasTargetRequest) (any, error) {
	k, current, err := s.aliasAndTarget(tx, c, req)
	if err != nil {
		return nil, err
	}
	if current == nil {
		return nil, aliasNotFound(c, req.AliasName)
	}
	nameAlias(c, current)
	old, err := s.oldTarget(tx, c, current)
	if err != nil {
		return nil, err
	}
	if old.Spec != k.Spec || old.Usage != k.Usage {
		return nil, invalid("The current and new KMS keys of %s must be of the same type and have the same key usage.", req.AliasName)
	}
	next := *current
	next.KeyID, next.Updated = k.ID, c.Time.UnixMilli()
	changed(c, k)
	if old.ID == k.ID {
		return nil, putAlias(tx, &next, old)
	}
	if err := detach(tx, current, old); err != nil {
		return nil, err
	}
	return nil, attach(tx, &next, k.Key)
}

// oldTarget reads the key that an alias points to. Taking the alias away from it
// has to be allowed as well.
func (s *Service) oldTarget(tx *fsm.Txn, c *call.Call, alias *state.Alias) (*state.Key, error) {
	old, err := state.Keys.Get(tx, alias.AccountID, alias.Region, alias.KeyID)
	if err != nil {
		return nil, err
	}
	if old == nil {
		return nil, damaged("alias")
	}
	return old, s.authorize(tx, c, to(c), reference{account: old.AccountID, region: old.Region, id: old.ID}, old)
}

type deleteAliasRequest struct{ AliasName string }

func deleteAliasShape() *shape.Struct[deleteAliasRequest] {
	return shape.Of(shape.Text("AliasName", aliasNameType(), func(q *deleteAliasRequest) *string { return &q.AliasName }).Required())
}

func (s *Service) deleteAlias(_ context.Context, tx *fsm.Txn, c *call.Call, req *deleteAliasRequest) (any, error) {
	c.Record.Parameters = &aliasParameters{AliasName: req.AliasName}
	if err := checkAlias(req.AliasName); err != nil {
		return nil, err
	}
	if err := s.authorizeAlias(tx, c, req.AliasName); err != nil {
		return nil, err
	}
	alias, err := state.Aliases.Get(tx, c.Principal.AccountID, c.Region, req.AliasName)
	if err != nil {
		return nil, err
	}
	if alias == nil {
		return nil, aliasNotFound(c, req.AliasName)
	}
	k, err := s.key(tx, c, alias.KeyID, byID)
	if err != nil {
		return nil, err
	}
	nameAlias(c, alias)
	changed(c, k)
	return nil, detach(tx, alias, k.Key)
}

// aliasAndTarget reads what CreateAlias and UpdateAlias name: the key, and the
// alias, nil where there is none.
func (s *Service) aliasAndTarget(tx *fsm.Txn, c *call.Call, req *aliasTargetRequest) (key, *state.Alias, error) {
	c.Record.Parameters = &aliasParameters{AliasName: req.AliasName, TargetKeyID: req.TargetKeyID}
	if err := checkAlias(req.AliasName); err != nil {
		return key{}, nil, err
	}
	if ref, err := parseReference(c, req.TargetKeyID); err == nil && ref.alias != "" {
		return key{}, nil, invalid("Aliases must refer to keys. Not aliases")
	}
	if err := s.authorizeAlias(tx, c, req.AliasName); err != nil {
		return key{}, nil, err
	}
	k, err := s.key(tx, c, req.TargetKeyID, byID)
	if err != nil {
		return key{}, nil, err
	}
	alias, err := state.Aliases.Get(tx, c.Principal.AccountID, c.Region, req.AliasName)
	return k, alias, err
}

// authorizeAlias refuses a caller who may not do with an alias what the operation
// does. The key is a matter of its own ("Controlling access to aliases" in the
// KMS developer guide).
func (s *Service) authorizeAlias(tx *fsm.Txn, c *call.Call, name string) error {
	ref := reference{account: c.Principal.AccountID, region: c.Region, alias: name}
	return s.authorizeOther(tx, c, to(c), ref.aliasARN())
}

// attach points an alias to a key that it does not point to.
func attach(tx *fsm.Txn, alias *state.Alias, k *state.Key) error {
	count := 0
	err := state.KeyAliases.Scan(tx.View(), []string{k.AccountID, k.Region, k.ID}, nil,
		func([]string, *state.KeyAlias) (bool, error) { count++; return count < maxAliases, nil })
	if err != nil {
		return err
	}
	if count >= maxAliases {
		return limitExceeded("A KMS key cannot have more than %d aliases.", maxAliases)
	}
	if err := state.KeyAliases.Put(tx, &state.KeyAlias{}, k.AccountID, k.Region, k.ID, alias.Name); err != nil {
		return err
	}
	return putAlias(tx, alias, k)
}

// detach takes an alias away from its key.
func detach(tx *fsm.Txn, alias *state.Alias, k *state.Key) error {
	state.KeyAliases.Delete(tx, k.AccountID, k.Region, k.ID, alias.Name)
	state.Aliases.Delete(tx, alias.AccountID, alias.Region, alias.Name)
	return touch(tx, k)
}

func putAlias(tx *fsm.Txn, alias *state.Alias, k *state.Key) error {
	if err := state.Aliases.Put(tx, alias, alias.AccountID, alias.Region, alias.Name); err != nil || plantedTouch {
		return err
	}
	return touch(tx, k)
}

// checkAlias refuses names that no alias of a customer can have.
func checkAlias(name string) error {
	switch {
	case !strings.HasPrefix(name, aliasPrefix):
		return invalid(`Alias must start with the prefix "alias/". ` +
			"Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html")
	case reserved(name):
		return notAuthorized()
	case !aliasName(name):
		return invalid("%s contains invalid characters for an alias", name)
	}
	return nil
}

func aliasNotFound(c *call.Call, name string) error {
	return notFound("Alias %s is not found.", reference{account: c.Principal.AccountID, region: c.Region, alias: name}.aliasARN())
}

// nameAlias makes an alias a resource of the call.
func nameAlias(c *call.Call, alias *state.Alias) {
	c.Record.Resources = append(c.Record.Resources,
		ledger.Resource{AccountID: alias.AccountID, Type: keyResource, ARN: alias.ARN()})
}
