package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// deleteCustomKeyStore deletes a store that has no keys, not even such as wait for
// their deletion. The guarded number of its keys keeps it from overlooking one that
// is being made.
func (s *Service) deleteCustomKeyStore(_ context.Context, tx *fsm.Txn, c *call.Call, req *keyStoreRequest) (*nothing, error) {
	c.Record.Parameters = &keyStoreParameters{CustomKeyStoreID: req.CustomKeyStoreID}
	store, err := s.keyStore(tx, c, req.CustomKeyStoreID)
	if err != nil {
		return nil, err
	}
	if store.Connection != state.Disconnected {
		return nil, notInState(store)
	}
	id := []string{store.AccountID, store.Region, store.ID}
	keys, err := state.KeyStoreCounts.Get(tx, id...)
	if err != nil {
		return nil, err
	}
	if keys != nil {
		return nil, call.Errorf("CustomKeyStoreHasCMKsException", "The custom key store %s contains %d KMS keys.", store.ID, keys.N)
	}
	if store.ClusterID != "" {
		state.ClusterUses.Delete(tx, store.ClusterID)
	}
	state.CustomKeyStores.Delete(tx, id...)
	return &nothing{}, state.KeyStoreDirectories.Put(tx, &state.KeyStoreDirectory{}, store.AccountID, store.Region)
}
