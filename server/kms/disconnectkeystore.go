package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// disconnectCustomKeyStore acts at once and everywhere: whoever uses a key of the
// store later, on whatever node, has read the store as it is now, or conflicts.
func (s *Service) disconnectCustomKeyStore(_ context.Context, tx *fsm.Txn, c *call.Call, req *keyStoreRequest) (*nothing, error) {
	c.Record.Parameters = &keyStoreParameters{CustomKeyStoreID: req.CustomKeyStoreID}
	store, err := s.keyStore(tx, c, req.CustomKeyStoreID)
	if err != nil {
		return nil, err
	}
	if store.Connection == state.Disconnected {
		return nil, notInState(store)
	}
	next := *store
	next.Connection, next.ErrorCode = state.Disconnected, ""
	return &nothing{}, writeKeyStore(tx, &next)
}
