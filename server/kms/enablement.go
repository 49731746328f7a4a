package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

func (s *Service) enableKey(_ context.Context, tx *fsm.Txn, c *call.Call, req *keyRequest) (any, error) {
	return nil, s.toggle(tx, c, req.KeyID, state.Disabled, state.Enabled)
}

// disableKey works at once and everywhere: whoever uses the key later, on
// whatever node, has read the key as it is now, or conflicts.
func (s *Service) disableKey(_ context.Context, tx *fsm.Txn, c *call.Call, req *keyRequest) (any, error) {
	return nil, s.toggle(tx, c, req.KeyID, state.Enabled, state.Disabled)
}

// toggle moves a key from one state to another. A key in neither is left alone:
// one that is unavailable says so when it is used.
func (s *Service) toggle(tx *fsm.Txn, c *call.Call, name string, from, to state.KeyState) error {
	c.Record.Parameters = &keyParameters{KeyID: name}
	k, err := s.key(tx, c, name, byID)
	if err != nil {
		return err
	}
	changed(c, k)
	if k.State != from {
		return nil
	}
	next := *k.Key
	next.State = to
	return put(tx, &next)
}
