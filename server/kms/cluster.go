package kms

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// A custom key store of type AWS_CLOUDHSM is in an HSM cluster of its owner's: a token
// apart from the node's own partition, reached under a cluster id that the operator
// has configured. Its keys are objects of that token, and never leave it.

// Clusters are the HSM clusters that are configured. Implementations are safe for
// concurrent use.
type Clusters interface {
	// TrustAnchor answers a cluster's trust anchor certificate in PEM, and whether
	// there is such a cluster.
	TrustAnchor(id string) (certificate string, ok bool)
	// Open answers a cluster for a password. The error wraps hsm.ErrPIN where that is
	// wrong, and hsm.ErrUnavailable where the cluster does not answer.
	Open(ctx context.Context, id string, password []byte) (Cluster, error)
}

// Cluster is an open HSM cluster.
type Cluster interface {
	// MakeResident makes an AES-256 key inside the cluster, unless there is one of the
	// label.
	MakeResident(ctx context.Context, label string) error
	// SealResident encrypts with the key of a label and authenticates aad.
	SealResident(ctx context.Context, label string, plaintext, aad []byte) ([]byte, error)
	// OpenResident decrypts what SealResident made; hsm.ErrInvalidCiphertext otherwise.
	OpenResident(ctx context.Context, label string, sealed, aad []byte) ([]byte, error)
	// Random fills b from the cluster's random number generator.
	Random(ctx context.Context, b []byte) error
}

// noClusters are those of a service that has none.
type noClusters struct{}

func (noClusters) TrustAnchor(string) (string, bool) { return "", false }

func (noClusters) Open(context.Context, string, []byte) (Cluster, error) {
	return nil, hsm.ErrUnavailable
}

func noCluster(id string) error {
	return call.Errorf("CloudHsmClusterNotFoundException", "The cluster %s was not found.", id)
}

// claimCluster makes a cluster a store's. It refuses one that is not configured, is
// another store's, or has not the trust anchor that the store says.
func (s *Service) claimCluster(tx *fsm.Txn, store *state.CustomKeyStore) error {
	anchor, ok := s.cfg.Clusters.TrustAnchor(store.ClusterID)
	if !ok {
		return noCluster(store.ClusterID)
	}
	use, err := state.ClusterUses.Get(tx, store.ClusterID)
	if err != nil {
		return err
	}
	if use != nil && use.StoreID != store.ID {
		return call.Errorf("CloudHsmClusterInUseException",
			"The cluster %s is already associated with another custom key store.", store.ClusterID)
	}
	if !sameCertificate(anchor, store.TrustAnchor) {
		return call.Errorf("IncorrectTrustAnchorException",
			"The trust anchor certificate is not that of the cluster %s.", store.ClusterID)
	}
	use = &state.ClusterUse{AccountID: store.AccountID, Region: store.Region, StoreID: store.ID}
	return state.ClusterUses.Put(tx, use, store.ClusterID)
}

// sameCertificate compares two certificates in PEM, whatever is around them.
func sameCertificate(a, b string) bool {
	first, _ := pem.Decode([]byte(a))
	second, _ := pem.Decode([]byte(b))
	return first != nil && second != nil && bytes.Equal(first.Bytes, second.Bytes)
}

// recluster changes the password or the cluster of a store, the caller's copy. Another
// cluster has to have the same trust anchor: the same keys, from a backup.
func (s *Service) recluster(ctx context.Context, tx *fsm.Txn, next *state.CustomKeyStore, req *updateCustomKeyStoreRequest) error {
	if req.CloudHsmClusterID != "" && req.CloudHsmClusterID != next.ClusterID {
		anchor, ok := s.cfg.Clusters.TrustAnchor(req.CloudHsmClusterID)
		if ok && !sameCertificate(anchor, next.TrustAnchor) {
			return call.Errorf("CloudHsmClusterNotRelatedException",
				"The cluster %s has not the certificate of the custom key store's cluster.", req.CloudHsmClusterID)
		}
		state.ClusterUses.Delete(tx, next.ClusterID)
		next.ClusterID = req.CloudHsmClusterID
	}
	if req.KeyStorePassword != "" {
		if err := s.sealKeyStore(ctx, tx, next, []byte(req.KeyStorePassword)); err != nil {
			return err
		}
	}
	return s.claimCluster(tx, next)
}

// cluster opens the cluster of a store.
func (s *Service) cluster(ctx context.Context, tx *fsm.Txn, store *state.CustomKeyStore) (Cluster, error) {
	password, err := s.openKeyStore(ctx, tx, store)
	if err != nil {
		return nil, err
	}
	defer clear(password)
	return s.cfg.Clusters.Open(ctx, store.ClusterID, password)
}

// connectCluster logs in and has the cluster do something. It answers AWS's
// ConnectionErrorCode, "" where all is well.
func (s *Service) connectCluster(ctx context.Context, tx *fsm.Txn, store *state.CustomKeyStore) (string, error) {
	if _, ok := s.cfg.Clusters.TrustAnchor(store.ClusterID); !ok {
		return "CLUSTER_NOT_FOUND", nil
	}
	err := s.clusterRandom(ctx, tx, store, make([]byte, 1))
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, hsm.ErrPIN):
		return "INVALID_CREDENTIALS", nil
	case errors.Is(err, hsm.ErrUnavailable), errors.Is(err, hsm.ErrTimeout):
		return "NETWORK_ERRORS", nil
	}
	return "", err
}

// clusterRandom fills b with random bytes of a store's cluster.
func (s *Service) clusterRandom(ctx context.Context, tx *fsm.Txn, store *state.CustomKeyStore, b []byte) error {
	cluster, err := s.cluster(ctx, tx, store)
	if err != nil {
		return err
	}
	return cluster.Random(ctx, b)
}

// enrollCluster makes the material of a new key inside the store's cluster. The label
// is the call's, not the run's: an operation that runs again finds the key that it has
// made. One that is not committed in the end leaves it there, as orphaned key material.
func (s *Service) enrollCluster(ctx context.Context, tx *fsm.Txn, c *call.Call, store *state.CustomKeyStore, k *state.Key) error {
	cluster, err := s.cluster(ctx, tx, store)
	if err == nil {
		k.BackingKey, k.ClusterID = "cofre-"+c.EventID, store.ClusterID
		err = cluster.MakeResident(ctx, k.BackingKey)
	}
	if err != nil {
		return s.clusterFault(ctx, store, err)
	}
	sum := sha256.Sum256([]byte("cofre backing key id v1\x00" + k.ARN() + "\x00" + k.BackingKey))
	k.MaterialID = hex.EncodeToString(sum[:])
	return nil
}

// sealCluster encrypts with a key that is in a cluster.
func (s *Service) sealCluster(ctx context.Context, tx *fsm.Txn, k key, plaintext, aad []byte) ([]byte, error) {
	cluster, err := s.cluster(ctx, tx, k.store)
	var sealed []byte
	if err == nil {
		sealed, err = cluster.SealResident(ctx, k.BackingKey, plaintext, aad)
	}
	if err != nil {
		return nil, s.clusterFault(ctx, k.store, err)
	}
	return sealed, nil
}

// openCluster undoes sealCluster.
func (s *Service) openCluster(ctx context.Context, tx *fsm.Txn, k key, envelope, aad []byte) ([]byte, error) {
	cluster, err := s.cluster(ctx, tx, k.store)
	var plaintext []byte
	if err == nil {
		plaintext, err = cluster.OpenResident(ctx, k.BackingKey, envelope, aad)
	}
	if errors.Is(err, hsm.ErrInvalidCiphertext) {
		return nil, invalidCiphertext()
	}
	if err != nil {
		return nil, s.clusterFault(ctx, k.store, err)
	}
	return plaintext, nil
}

// clusterFault is the exception of a cluster that fails: it is not ours, so that is no
// failure of the service. Details are for the log.
func (s *Service) clusterFault(ctx context.Context, store *state.CustomKeyStore, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.cfg.Logger.Warn("cluster of a custom key store", "account", store.AccountID, "region", store.Region, "store", store.ID, "error", err)
	return invalidState("The KMS key could not be used in the cluster %s of its custom key store. "+
		"Verify that the cluster is active and that it holds the key material, and try the request again.", store.ClusterID)
}

// backing is what records say of a key that is in a cluster.
func backing(k key) string {
	if k.BackingKey == "" {
		return ""
	}
	return `{"backingKeyId":"` + k.BackingKey + `"}` // a label of ours needs no escapes
}
