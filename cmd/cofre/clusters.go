package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/pkcs11"
	"github.com/cofre-kms/cofre/internal/config"
	"github.com/cofre-kms/cofre/server/kms"
)

// clusters are the HSM clusters that custom key stores can be in: tokens apart from the
// node's own. Each is opened when a key store needs it, and stays open.
type clusters struct {
	configured map[string]config.HSMCluster
	anchors    map[string]string // PEM, by cluster id
	logger     hclog.Logger
	open       map[string]*openCluster // by cluster id; the map itself does not change
}

// openCluster is a token that is open with a password. While it is being opened, those
// who need it wait.
type openCluster struct {
	mu        sync.Mutex
	password  [sha256.Size]byte // its hash
	partition *pkcs11.Partition
}

func newClusters(cfg *config.Config, logger hclog.Logger) (*clusters, error) {
	c := &clusters{configured: map[string]config.HSMCluster{}, anchors: map[string]string{}, logger: logger, open: map[string]*openCluster{}}
	for _, h := range cfg.CloudHSM {
		anchor, err := os.ReadFile(h.TrustAnchor)
		if err != nil {
			return nil, fmt.Errorf("reading the trust_anchor of %s: %w", h.ID, err)
		}
		c.configured[h.ID], c.anchors[h.ID], c.open[h.ID] = h, string(anchor), new(openCluster)
	}
	return c, nil
}

// TrustAnchor implements kms.Clusters.
func (c *clusters) TrustAnchor(id string) (string, bool) {
	anchor, ok := c.anchors[id]
	return anchor, ok
}

// Open implements kms.Clusters. A token that is open with another password is closed
// first: who is logged in is so for the whole process (PKCS #11 v2.40 §5.6, C_Login),
// and a second login would be taken for right whatever its PIN. What another call does
// with the token at that moment fails.
func (c *clusters) Open(ctx context.Context, id string, password []byte) (kms.Cluster, error) {
	of, ok := c.open[id]
	if !ok {
		return nil, fmt.Errorf("the cluster %s is not configured: %w", id, hsm.ErrUnavailable)
	}
	of.mu.Lock()
	defer of.mu.Unlock()
	sum := sha256.Sum256(password)
	if of.partition != nil && of.password == sum {
		return of.partition, nil
	}
	if before := of.partition; before != nil {
		of.partition = nil
		if err := before.Close(); err != nil {
			return nil, fmt.Errorf("closing the cluster %s: %w", id, err)
		}
	}
	partition, err := pkcs11.Open(ctx, pkcs11.Config{URI: c.configured[id].URI, PIN: hsm.PIN(password), Logger: c.logger.Named(id)})
	if err != nil {
		return nil, err
	}
	of.partition, of.password = partition, sum
	return partition, nil
}

// Close closes what is open. Whoever holds one of them waits for nobody: a token that
// hangs keeps no node from stopping.
func (c *clusters) Close(context.Context) error {
	var errs []error
	for _, of := range c.open {
		if of.mu.TryLock() {
			if of.partition != nil {
				errs = append(errs, of.partition.Close())
			}
			of.mu.Unlock()
		}
	}
	return errors.Join(errs...)
}
