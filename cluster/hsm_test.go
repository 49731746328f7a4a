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
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
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
	keys := newKeys(t, f, use)
	victim.device().gone.Store(true)
	exercise(t, f, use, keys)

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
	exercise(t, f, use, keys)
	if _, err := use.Decrypt(f.ctx(), keys[hsm.SymmetricDefault], hsm.Sealed{Derivation: hsm.DerivationXAES, Body: make([]byte, 20)}, nil); !errors.Is(err, hsm.ErrInvalidCiphertext) {
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
	exercise(t, f, use, keys)
}

// newKeys makes a key for each operation.
func newKeys(t *testing.T, f *fixture, use *HSM) map[hsm.KeySpec]hsm.WrappedKey {
	t.Helper()
	keys := make(map[hsm.KeySpec]hsm.WrappedKey)
	for _, spec := range []hsm.KeySpec{hsm.SymmetricDefault, hsm.ECCNistP256, hsm.HMAC256, hsm.RSA2048, hsm.MLKEM768} {
		key, err := use.GenerateKey(f.ctx(), 1, spec)
		if err != nil {
			t.Fatal(err)
		}
		keys[spec] = key
	}
	return keys
}

// exercise uses every operation.
func exercise(t *testing.T, f *fixture, use *HSM, keys map[hsm.KeySpec]hsm.WrappedKey) {
	t.Helper()
	key := keys[hsm.SymmetricDefault]
	sealed, err := use.Encrypt(f.ctx(), key, []byte("plain"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := use.Decrypt(f.ctx(), key, sealed, []byte("aad"))
	if err != nil || string(plain) != "plain" {
		t.Errorf("decrypted %q, %v", plain, err)
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
	exercisePrivate(t, f, use, keys)
	exerciseImport(t, f, use, keys)
}

// exercisePrivate uses what the public key checks.
func exercisePrivate(t *testing.T, f *fixture, use *HSM, keys map[hsm.KeySpec]hsm.WrappedKey) {
	t.Helper()
	ec, rsa, kem := keys[hsm.ECCNistP256], keys[hsm.RSA2048], keys[hsm.MLKEM768]
	digest := make([]byte, 32)
	for _, alg := range []hsm.SigningAlgorithm{hsm.RSAPSSSHA256, hsm.RSAPKCS1SHA256} {
		signature, err := use.Sign(f.ctx(), rsa, alg, digest)
		if err := errors.Join(err, algorithm.Verify(rsa.Public, rsa.Spec, alg, digest, signature)); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
	signature, err := use.Sign(f.ctx(), ec, hsm.ECDSASHA256, digest)
	if err := errors.Join(err, algorithm.Verify(ec.Public, ec.Spec, hsm.ECDSASHA256, digest, signature)); err != nil {
		t.Error(err)
	}
	ciphertext, err := algorithm.Encrypt(rsa.Public, rsa.Spec, hsm.RSAOAEPSHA256, []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := use.Open(f.ctx(), rsa, hsm.RSAOAEPSHA256, ciphertext); err != nil || string(plain) != "plain" {
		t.Errorf("opened %q, %v", plain, err)
	}
	if _, err := use.Open(f.ctx(), rsa, hsm.RSAOAEPSHA1, ciphertext); !errors.Is(err, hsm.ErrInvalidCiphertext) {
		t.Errorf("opening by another algorithm: %v", err)
	}
	if secret, err := use.Agree(f.ctx(), ec, ec.Public); err != nil || len(secret) != 32 {
		t.Errorf("agreed on %x, %v", secret, err)
	}
	if _, err := use.Agree(f.ctx(), ec, rsa.Public); !errors.Is(err, hsm.ErrInvalidKey) {
		t.Errorf("agreeing with an RSA key: %v", err)
	}
	secret, capsule, err := algorithm.Encapsulate(kem.Public, kem.Spec)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := use.Decapsulate(f.ctx(), kem, capsule); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("decapsulated %x, %v", got, err)
	}
}

// exerciseImport takes a key in and uses it: its MAC and fingerprint are what
// they are everywhere.
func exerciseImport(t *testing.T, f *fixture, use *HSM, keys map[hsm.KeySpec]hsm.WrappedKey) {
	t.Helper()
	raw := bytes.Repeat([]byte{7}, 32)
	own, err := algorithm.Parse(hsm.HMAC256, raw)
	if err != nil {
		t.Fatal(err)
	}
	want, err := own.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	wrapping := keys[hsm.RSA2048]
	key, fingerprint, err := use.ImportKey(f.ctx(), 1, hsm.HMAC256, hsm.Import{
		Wrapping: wrapping, Algorithm: hsm.WrapAESSHA256,
		Material: hsmtest.Wrap(t, wrapping.Public, wrapping.Spec, hsm.WrapAESSHA256, raw),
	})
	if err != nil || fingerprint != want {
		t.Fatalf("imported a key with the fingerprint %x, %v", fingerprint, err)
	}
	tag, err := own.MAC(hsm.HMACSHA256, []byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := use.MAC(f.ctx(), key, hsm.HMACSHA256, []byte("message")); err != nil || !bytes.Equal(got, tag) {
		t.Errorf("the MAC is %x, %v", got, err)
	}
	if _, err := use.MAC(f.ctx(), keys[hsm.HMAC256], hsm.HMACSHA512, nil); !errors.Is(err, hsm.ErrUnsupported) {
		t.Errorf("a MAC of another algorithm: %v", err)
	}
}
