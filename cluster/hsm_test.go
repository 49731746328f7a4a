package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/hsm"
)

// flaky is a partition whose device can be taken away.
type flaky struct {
	hsm.Partition
	gone atomic.Bool
}

var errGone = &hsm.Error{Op: "C_Sign", Code: 0x32, Err: hsm.ErrUnavailable}

func (p *flaky) err() error {
	if p.gone.Load() {
		return errGone
	}
	return nil
}

func (p *flaky) Check(ctx context.Context) error {
	if err := p.err(); err != nil {
		return err
	}
	return p.Partition.Check(ctx)
}

func (p *flaky) Random(ctx context.Context, b []byte) error {
	if err := p.err(); err != nil {
		return err
	}
	return p.Partition.Random(ctx, b)
}

func (p *flaky) GenerateKey(ctx context.Context, g hsm.Generation, spec hsm.KeySpec) (hsm.WrappedKey, error) {
	if err := p.err(); err != nil {
		return hsm.WrappedKey{}, err
	}
	return p.Partition.GenerateKey(ctx, g, spec)
}

func (p *flaky) Encrypt(ctx context.Context, key hsm.WrappedKey, plaintext, aad []byte) (hsm.Sealed, error) {
	if err := p.err(); err != nil {
		return hsm.Sealed{}, err
	}
	return p.Partition.Encrypt(ctx, key, plaintext, aad)
}

func (p *flaky) Decrypt(ctx context.Context, key hsm.WrappedKey, sealed hsm.Sealed, aad []byte) ([]byte, error) {
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.Partition.Decrypt(ctx, key, sealed, aad)
}

func (p *flaky) Sign(ctx context.Context, key hsm.WrappedKey, alg hsm.SigningAlgorithm, digest []byte) ([]byte, error) {
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.Partition.Sign(ctx, key, alg, digest)
}

func (p *flaky) ImportKey(ctx context.Context, g hsm.Generation, spec hsm.KeySpec, in hsm.Import) (hsm.WrappedKey, hsm.Fingerprint, error) {
	if err := p.err(); err != nil {
		return hsm.WrappedKey{}, hsm.Fingerprint{}, err
	}
	return p.Partition.ImportKey(ctx, g, spec, in)
}

func (p *flaky) MAC(ctx context.Context, key hsm.WrappedKey, alg hsm.MACAlgorithm, message []byte) ([]byte, error) {
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.Partition.MAC(ctx, key, alg, message)
}

func (p *flaky) Open(ctx context.Context, key hsm.WrappedKey, alg hsm.EncryptionAlgorithm, ciphertext []byte) ([]byte, error) {
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.Partition.Open(ctx, key, alg, ciphertext)
}

func (p *flaky) Agree(ctx context.Context, key hsm.WrappedKey, peer []byte) ([]byte, error) {
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.Partition.Agree(ctx, key, peer)
}

func (p *flaky) Decapsulate(ctx context.Context, key hsm.WrappedKey, ciphertext []byte) ([]byte, error) {
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.Partition.Decapsulate(ctx, key, ciphertext)
}

func (n *testNode) device() *flaky { return n.cfg.Partition.(*flaky) }

// newFlakyCluster makes three nodes whose devices can be taken away.
func newFlakyCluster(t *testing.T) *fixture {
	return newCluster(t, 3, func(c *Config) {
		c.Partition = &flaky{Partition: c.Partition}
		c.Timing.Check = 20 * time.Millisecond
	})
}

// TestDeadDevice: a node whose device dies hands leadership over, says so, and
// goes on with its peers' devices; with none left it answers the device's error.
func TestDeadDevice(t *testing.T) {
	f := newFlakyCluster(t)
	victim := f.leader()
	use := victim.node.HSM()
	key, err := use.GenerateKey(f.ctx(), 1, hsm.SymmetricDefault)
	if err != nil {
		t.Fatal(err)
	}
	signing, err := use.GenerateKey(f.ctx(), 1, hsm.ECCNistP256)
	if err != nil {
		t.Fatal(err)
	}
	victim.device().gone.Store(true)
	exercise(t, f, use, key, signing)

	f.await("leadership to move", func() error {
		if leading, _ := victim.node.Leading(); leading {
			return errors.New("still leading")
		}
		return nil
	})
	f.await("the node to say what is wrong", func() error {
		if err := victim.node.Ready(); !errors.Is(err, hsm.ErrUnavailable) {
			return fmt.Errorf("Ready answers %w", err)
		}
		return nil
	})
	if victim.node.Status().HSMError == "" {
		t.Error("Status says nothing")
	}
	exercise(t, f, use, key, signing)
	if _, err := use.Decrypt(f.ctx(), key, hsm.Sealed{Derivation: hsm.DerivationXAES, Body: make([]byte, 20)}, nil); !errors.Is(err, hsm.ErrInvalidCiphertext) {
		t.Errorf("a bad ciphertext at a peer: %v", err)
	}

	for _, n := range f.nodes {
		n.device().gone.Store(true)
	}
	if err := use.Random(f.ctx(), make([]byte, 8)); !errors.Is(err, hsm.ErrUnavailable) {
		t.Errorf("with all devices dead: %v", err)
	}
	for _, n := range f.nodes {
		n.device().gone.Store(false)
	}
	f.await("the devices to be found well", func() error {
		for _, n := range f.nodes {
			if err := n.node.Ready(); err != nil {
				return err
			}
		}
		return nil
	})
	exercise(t, f, use, key, signing)
}

// exercise uses every operation.
func exercise(t *testing.T, f *fixture, use *HSM, key, signing hsm.WrappedKey) {
	t.Helper()
	sealed, err := use.Encrypt(f.ctx(), key, []byte("plain"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := use.Decrypt(f.ctx(), key, sealed, []byte("aad"))
	if err != nil || string(plain) != "plain" {
		t.Errorf("decrypted %q, %v", plain, err)
	}
	if _, err := use.Sign(f.ctx(), signing, hsm.ECDSASHA256, make([]byte, 32)); err != nil {
		t.Error(err)
	}
	if _, err := use.GenerateKey(f.ctx(), 1, hsm.SymmetricDefault); err != nil {
		t.Error(err)
	}
	random := make([]byte, 32)
	if err := use.Random(f.ctx(), random); err != nil || bytes.Equal(random, make([]byte, 32)) {
		t.Errorf("random bytes %x, %v", random, err)
	}
	if _, err := use.GenerateKey(f.ctx(), 1, "NO_SUCH_SPEC"); !errors.Is(err, hsm.ErrUnsupported) {
		t.Errorf("an unknown spec: %v", err)
	}
}
