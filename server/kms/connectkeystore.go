package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// connectCustomKeyStore connects at once, where AWS only begins: the answer is the
// same, and DescribeCustomKeyStores already says how it went. From then on keys of
// the store can be used, on every node, or the store has failed and says why.
func (s *Service) connectCustomKeyStore(ctx context.Context, tx *fsm.Txn, c *call.Call, req *keyStoreRequest) (*nothing, error) {
	c.Record.Parameters = &keyStoreParameters{CustomKeyStoreID: req.CustomKeyStoreID}
	store, err := s.keyStore(tx, c, req.CustomKeyStoreID)
	if err != nil {
		return nil, err
	}
	if store.Connection == state.Failed {
		return nil, notInState(store)
	}
	next := *store
	if next.ErrorCode, err = s.connect(ctx, tx, c, store); err != nil {
		return nil, err
	}
	next.Connection = state.Connected
	if next.ErrorCode != "" {
		next.Connection = state.Failed
	}
	c.Record.Additional = &keyStoreData{
		CustomKeyStoreName: next.Name, ClusterID: next.ClusterID, ConnectionState: next.Connection, ConnectionErrorCode: next.ErrorCode,
	}
	return &nothing{}, writeKeyStore(tx, &next)
}

// connect tries what is behind a store and answers AWS's ConnectionErrorCode, ""
// where all is well.
func (s *Service) connect(ctx context.Context, tx *fsm.Txn, c *call.Call, store *state.CustomKeyStore) (string, error) {
	if store.Type == state.CloudHSM {
		return s.connectCluster(ctx, tx, store)
	}
	return connecting(s.probe(ctx, tx, c, store))
}
