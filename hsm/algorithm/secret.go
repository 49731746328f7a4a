package algorithm

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"

	"github.com/cofre-kms/cofre/hsm"
)

// secret is the value of a SYMMETRIC_DEFAULT or HMAC_… key. Messages are not
// encrypted here: hsm/xaes says how.
type secret struct {
	spec  hsm.KeySpec
	value []byte
}

// SecretSize is the length in bytes of a secret key's value, 0 of a spec of
// private keys. HMAC keys are as long as what they answer (AWS KMS developer
// guide, "Key specs for HMAC KMS keys").
func SecretSize(spec hsm.KeySpec) int {
	switch spec {
	case hsm.SymmetricDefault, hsm.HMAC256:
		return 32
	case hsm.HMAC224:
		return 28
	case hsm.HMAC384:
		return 48
	case hsm.HMAC512:
		return 64
	default:
		return 0
	}
}

func generateSecret(spec hsm.KeySpec) (material, error) {
	value := make([]byte, SecretSize(spec))
	_, _ = rand.Read(value) // never fails
	return &secret{spec, value}, nil
}

func parseSecret(spec hsm.KeySpec, raw []byte) (material, error) {
	size := SecretSize(spec)
	if len(raw) < size || !padding(raw[size:]) {
		return nil, fmt.Errorf("a secret key of %d bytes", len(raw))
	}
	return &secret{spec, bytes.Clone(raw[:size])}, nil
}

func (s *secret) marshal() ([]byte, error) { return bytes.Clone(s.value), nil }
func (s *secret) public() ([]byte, error)  { return nil, nil }
func (s *secret) wipe()                    { clear(s.value) }

func (s *secret) mac(alg hsm.MACAlgorithm, message []byte) ([]byte, error) {
	h := macHash(alg)
	if h == nil || MACAlgorithmOf(s.spec) != alg {
		return nil, fmt.Errorf("MAC by %s with key spec %s: %w", alg, s.spec, hsm.ErrUnsupported)
	}
	m := hmac.New(h, s.value)
	m.Write(message)
	return m.Sum(nil), nil
}

func macHash(alg hsm.MACAlgorithm) func() hash.Hash {
	switch alg {
	case hsm.HMACSHA224:
		return sha256.New224
	case hsm.HMACSHA256:
		return sha256.New
	case hsm.HMACSHA384:
		return sha512.New384
	case hsm.HMACSHA512:
		return sha512.New
	default:
		return nil
	}
}
