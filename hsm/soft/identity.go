package soft

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/cofre-kms/cofre/hsm"
)

// newIdentity makes an identity key, as PKCS#8. The caller wipes it.
func newIdentity() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating the identity key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the identity key: %w", err)
	}
	return der, nil
}

// signer is the identity key.
type signer struct {
	public *ecdsa.PublicKey
	key    atomic.Pointer[ecdsa.PrivateKey] // nil once the partition is closed
}

func newSigner(pkcs8 []byte) (*signer, error) {
	key, err := parseP256(pkcs8)
	if err != nil {
		return nil, fmt.Errorf("reading the identity key: %w", err)
	}
	s := &signer{public: &key.PublicKey}
	s.key.Store(key)
	return s, nil
}

// Identity is the node's identity key.
func (p *Partition) Identity() crypto.Signer { return p.identity }

func (s *signer) Public() crypto.PublicKey { return s.public }

func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	key := s.key.Load()
	if key == nil {
		return nil, hsm.ErrClosed
	}
	if opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return nil, fmt.Errorf("signing with the identity key: not a SHA-256 digest: %w", hsm.ErrUnsupported)
	}
	return ecdsa.SignASN1(rand.Reader, key, digest)
}

func (s *signer) close() { s.key.Store(nil) }

// parseP256 reads a P-256 private key from PKCS#8.
func parseP256(der []byte) (*ecdsa.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("not a P-256 key")
	}
	return key, nil
}
