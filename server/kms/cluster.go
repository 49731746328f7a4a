package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// checkCluster refuses a store in a cluster: none is configured.
func (s *Service) checkCluster(_ []*state.CustomKeyStore, store *state.CustomKeyStore) error {
	return call.Errorf("CloudHsmClusterNotFoundException", "The cluster %s was not found.", store.ClusterID)
}

func (s *Service) connectCluster(context.Context, *fsm.Txn, *state.CustomKeyStore) (string, error) {
	return "CLUSTER_NOT_FOUND", nil
}

func (s *Service) recluster(_ context.Context, _ *fsm.Txn, all []*state.CustomKeyStore, next *state.CustomKeyStore, _ *updateCustomKeyStoreRequest) error {
	return s.checkCluster(all, next)
}

func (s *Service) clusterRandom(_ context.Context, _ *fsm.Txn, store *state.CustomKeyStore, _ []byte) error {
	return notInState(store)
}
