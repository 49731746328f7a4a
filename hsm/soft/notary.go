package soft

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/cofre-kms/cofre/hsm"
)

// notary is the key for the ledger's checkpoints.
type notary struct {
	public ed25519.PublicKey
	key    atomic.Pointer[ed25519.PrivateKey] // nil once the partition is closed
}

// newNotarySeed makes a notary key. The caller wipes it.
func newNotarySeed() []byte {
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed) // never fails (crypto/rand.Read)
	return seed
}

func newNotary(seed []byte) (*notary, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("reading the notary key: it has %d bytes", len(seed))
	}
	key := ed25519.NewKeyFromSeed(seed)
	n := &notary{public: key.Public().(ed25519.PublicKey)}
	n.key.Store(&key)
	return n, nil
}

// Notary is the node's key for the ledger's checkpoints.
func (p *Partition) Notary() crypto.Signer { return p.notary }

func (n *notary) Public() crypto.PublicKey { return n.public }

func (n *notary) Sign(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	key := n.key.Load()
	if key == nil {
		return nil, hsm.ErrClosed
	}
	if opts.HashFunc() != 0 {
		return nil, fmt.Errorf("signing with the notary key: not the message itself: %w", hsm.ErrUnsupported)
	}
	return ed25519.Sign(*key, message), nil
}

func (n *notary) close() {
	if key := n.key.Swap(nil); key != nil {
		clear(*key)
	}
}

// Remember keeps a value in the partition file.
func (p *Partition) Remember(ctx context.Context, value []byte) error {
	if err := p.usable(ctx); err != nil {
		return err
	}
	if len(value) > hsm.MaxMemory {
		return fmt.Errorf("remembering %d bytes: %w", len(value), hsm.ErrUnsupported)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.store(object{kind: objectMemory, value: value})
}

// Recall answers the value.
func (p *Partition) Recall(ctx context.Context) ([]byte, error) {
	if err := p.usable(ctx); err != nil {
		return nil, err
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed.Load() {
		return nil, hsm.ErrClosed
	}
	return bytes.Clone(p.vault.find(objectMemory, 0)), nil
}
