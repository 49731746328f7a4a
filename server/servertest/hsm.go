package servertest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// HSM is a partition in a test's memory, with a domain key of its own: what the
// services ask of one. Its blobs open in no other partition. It is safe for
// concurrent use. Fail, where set, is asked before each call. Specs are
// the key specs that it makes, at first all.
type HSM struct {
	Fail   func() error
	Specs  []hsm.KeySpec
	domain cipher.AEAD
}

// NewHSM makes a partition.
func NewHSM(t testing.TB) *HSM {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	aead, err := gcm(key)
	if err != nil {
		t.Fatal(err)
	}
	return &HSM{Specs: algorithm.Specs(), domain: aead}
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithNonceSize(block, hsm.NonceSize)
}

func (h *HSM) fail() error {
	if h.Fail == nil {
		return nil
	}
	return h.Fail()
}

// Info describes the partition.
func (h *HSM) Info() hsm.Info {
	return hsm.Info{
		Kind: "test", Label: "test", Specs: h.Specs, Derivation: hsm.DerivationXAES,
	}
}

// Random implements hsm.Token.
func (h *HSM) Random(_ context.Context, b []byte) error {
	if err := h.fail(); err != nil {
		return err
	}
	_, err := rand.Read(b)
	return err
}

// GenerateKey implements hsm.Maker.
func (h *HSM) GenerateKey(_ context.Context, g hsm.Generation, spec hsm.KeySpec) (hsm.WrappedKey, error) {
	if err := h.fail(); err != nil {
		return hsm.WrappedKey{}, err
	}
	if !h.Info().Can(spec) {
		return hsm.WrappedKey{}, fmt.Errorf("key spec %s: %w", spec, hsm.ErrUnsupported)
	}
	raw, public, err := algorithm.Generate(spec)
	if err != nil {
		return hsm.WrappedKey{}, err
	}
	return h.wrap(g, spec, raw, public), nil
}

func (h *HSM) wrap(g hsm.Generation, spec hsm.KeySpec, raw, public []byte) hsm.WrappedKey {
	return hsm.WrappedKey{Generation: g, Spec: spec, Public: public, Wrapped: seal(h.domain, raw, []byte(spec))}
}

// Encrypt implements hsm.Symmetric.
func (h *HSM) Encrypt(_ context.Context, key hsm.WrappedKey, plaintext, aad []byte) (hsm.Sealed, error) {
	aead, err := h.aead(key)
	if err != nil {
		return hsm.Sealed{}, err
	}
	sealed := hsm.Sealed{Derivation: hsm.DerivationXAES}
	rand.Read(sealed.Nonce[:])
	sealed.Body = aead.Seal(nil, sealed.Nonce[:], plaintext, aad)
	return sealed, nil
}

// Decrypt implements hsm.Symmetric.
func (h *HSM) Decrypt(_ context.Context, key hsm.WrappedKey, sealed hsm.Sealed, aad []byte) ([]byte, error) {
	aead, err := h.aead(key)
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, sealed.Nonce[:], sealed.Body, aad)
	if err != nil {
		return nil, hsm.ErrInvalidCiphertext
	}
	return plaintext, nil
}

// aead opens a key that encrypts.
func (h *HSM) aead(key hsm.WrappedKey) (cipher.AEAD, error) {
	if key.Spec != hsm.SymmetricDefault {
		return nil, fmt.Errorf("encrypting with key spec %s: %w", key.Spec, hsm.ErrUnsupported)
	}
	raw, err := h.unwrap(key)
	if err != nil {
		return nil, err
	}
	return gcm(raw)
}

// unwrap answers the material of a key.
func (h *HSM) unwrap(key hsm.WrappedKey) ([]byte, error) {
	if err := h.fail(); err != nil {
		return nil, err
	}
	raw, err := open(h.domain, key.Wrapped, []byte(key.Spec))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", hsm.ErrInvalidKey, err)
	}
	return raw, nil
}

func seal(aead cipher.AEAD, plaintext, aad []byte) []byte {
	nonce := make([]byte, hsm.NonceSize)
	rand.Read(nonce)
	return aead.Seal(nonce, nonce, plaintext, aad)
}

func open(aead cipher.AEAD, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < hsm.NonceSize {
		return nil, hsm.ErrInvalidKey
	}
	return aead.Open(nil, sealed[:hsm.NonceSize], sealed[hsm.NonceSize:], aad)
}
