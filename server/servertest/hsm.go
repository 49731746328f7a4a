package servertest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
)

// HSM is a partition in a test's memory, with a domain key of its own: what the
// services ask of one. Its blobs open in no other partition. It is safe for
// concurrent use. Fail, where set, is asked before each call.
type HSM struct {
	Fail   func() error
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
	return &HSM{domain: aead}
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
		Kind: "test", Label: "test", Specs: []hsm.KeySpec{hsm.SymmetricDefault, hsm.ECCNistP256}, Derivation: hsm.DerivationXAES,
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

// GenerateKey implements hsm.Keys.
func (h *HSM) GenerateKey(_ context.Context, g hsm.Generation, spec hsm.KeySpec) (hsm.WrappedKey, error) {
	if err := h.fail(); err != nil {
		return hsm.WrappedKey{}, err
	}
	key := hsm.WrappedKey{Generation: g, Spec: spec}
	raw := make([]byte, 32)
	switch spec {
	case hsm.SymmetricDefault:
		rand.Read(raw)
	case hsm.ECCNistP256:
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return key, err
		}
		if raw, err = x509.MarshalPKCS8PrivateKey(private); err != nil {
			return key, err
		}
		if key.Public, err = x509.MarshalPKIXPublicKey(&private.PublicKey); err != nil {
			return key, err
		}
	default:
		return key, fmt.Errorf("%w: %s", hsm.ErrUnsupported, spec)
	}
	key.Wrapped = seal(h.domain, raw, []byte(spec))
	return key, nil
}

// Encrypt implements hsm.Keys.
func (h *HSM) Encrypt(_ context.Context, key hsm.WrappedKey, plaintext, aad []byte) (hsm.Sealed, error) {
	aead, err := h.unwrap(key)
	if err != nil {
		return hsm.Sealed{}, err
	}
	sealed := hsm.Sealed{Derivation: hsm.DerivationXAES}
	rand.Read(sealed.Nonce[:])
	sealed.Body = aead.Seal(nil, sealed.Nonce[:], plaintext, aad)
	return sealed, nil
}

// Decrypt implements hsm.Keys.
func (h *HSM) Decrypt(_ context.Context, key hsm.WrappedKey, sealed hsm.Sealed, aad []byte) ([]byte, error) {
	aead, err := h.unwrap(key)
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, sealed.Nonce[:], sealed.Body, aad)
	if err != nil {
		return nil, hsm.ErrInvalidCiphertext
	}
	return plaintext, nil
}

// Sign implements hsm.Keys.
func (h *HSM) Sign(_ context.Context, key hsm.WrappedKey, alg hsm.SigningAlgorithm, digest []byte) ([]byte, error) {
	if err := h.fail(); err != nil {
		return nil, err
	}
	if alg != hsm.ECDSASHA256 {
		return nil, fmt.Errorf("%w: %s", hsm.ErrUnsupported, alg)
	}
	raw, err := open(h.domain, key.Wrapped, []byte(key.Spec))
	if err != nil {
		return nil, hsm.ErrInvalidKey
	}
	private, err := x509.ParsePKCS8PrivateKey(raw)
	if err != nil {
		return nil, hsm.ErrInvalidKey
	}
	return ecdsa.SignASN1(rand.Reader, private.(*ecdsa.PrivateKey), digest)
}

func (h *HSM) unwrap(key hsm.WrappedKey) (cipher.AEAD, error) {
	if err := h.fail(); err != nil {
		return nil, err
	}
	raw, err := open(h.domain, key.Wrapped, []byte(key.Spec))
	if err != nil {
		return nil, hsm.ErrInvalidKey
	}
	return gcm(raw)
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

// ImportKey implements hsm.Keys.
func (h *HSM) ImportKey(_ context.Context, _ hsm.Generation, spec hsm.KeySpec, _ hsm.Import) (hsm.WrappedKey, hsm.Fingerprint, error) {
	return hsm.WrappedKey{}, hsm.Fingerprint{}, fmt.Errorf("%w: %s", hsm.ErrUnsupported, spec)
}

// MAC implements hsm.Keys.
func (h *HSM) MAC(_ context.Context, key hsm.WrappedKey, _ hsm.MACAlgorithm, _ []byte) ([]byte, error) {
	return nil, fmt.Errorf("%w: %s", hsm.ErrUnsupported, key.Spec)
}

// Open implements hsm.Keys.
func (h *HSM) Open(_ context.Context, key hsm.WrappedKey, _ hsm.EncryptionAlgorithm, _ []byte) ([]byte, error) {
	return nil, fmt.Errorf("%w: %s", hsm.ErrUnsupported, key.Spec)
}

// Agree implements hsm.Keys.
func (h *HSM) Agree(_ context.Context, key hsm.WrappedKey, _ []byte) ([]byte, error) {
	return nil, fmt.Errorf("%w: %s", hsm.ErrUnsupported, key.Spec)
}

// Decapsulate implements hsm.Keys.
func (h *HSM) Decapsulate(_ context.Context, key hsm.WrappedKey, _ []byte) ([]byte, error) {
	return nil, fmt.Errorf("%w: %s", hsm.ErrUnsupported, key.Spec)
}
