package algorithm

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cofre-kms/cofre/hsm"
)

// ErrInvalidSignature is returned by Verify for a signature that the key did not
// make.
var ErrInvalidSignature = errors.New("signature does not verify")

// ErrPlaintextSize is returned by Encrypt for a plaintext that is empty where the
// algorithm needs one, or longer than [MaxPlaintext].
var ErrPlaintextSize = errors.New("plaintext has a length that cannot be encrypted")

// publicKey is a public key; what it is good for, it says by the interfaces
// below.
type publicKey any

type verifier interface {
	verify(alg hsm.SigningAlgorithm, digest, signature []byte) bool
}

type encrypter interface {
	encrypt(alg hsm.EncryptionAlgorithm, plaintext []byte) ([]byte, error)
}

type encapsulator interface {
	encapsulate() (secret, ciphertext []byte, err error)
}

// parsePublic reads a SubjectPublicKeyInfo of a spec.
func parsePublic(spec hsm.KeySpec, der []byte) (publicKey, error) {
	f, err := familyOf(spec)
	if err != nil {
		return nil, err
	}
	if f.public == nil {
		return nil, fmt.Errorf("key spec %s has no public key: %w", spec, hsm.ErrUnsupported)
	}
	p, err := f.public(spec, der)
	if err == nil && !distinguished(der) {
		err = errEncoding
	}
	if err != nil {
		return nil, fmt.Errorf("reading a public key of %s: %w: %w", spec, hsm.ErrInvalidKey, err)
	}
	return p, nil
}

// CheckPublic is nil if der is the SubjectPublicKeyInfo of a key of spec, on its
// curve and of its size, and wraps [hsm.ErrInvalidKey] otherwise.
func CheckPublic(spec hsm.KeySpec, der []byte) error {
	_, err := parsePublic(spec, der)
	return err
}

// Point answers the uncompressed point of a SubjectPublicKeyInfo of spec, on one
// of the NIST curves (SEC 1 §2.3.3). What is none is [hsm.ErrInvalidKey].
func Point(spec hsm.KeySpec, der []byte) ([]byte, error) {
	p, err := parsePublic(spec, der)
	if err != nil {
		return nil, err
	}
	key, ok := p.(nistPublic)
	if !ok {
		return nil, fmt.Errorf("a point of key spec %s: %w", spec, hsm.ErrUnsupported)
	}
	return key.key.Bytes()
}

// Verify checks a signature of what Sign of [hsm.Private] takes as digest. It is
// nil, [ErrInvalidSignature], [hsm.ErrUnsupported] for an algorithm or a digest
// length that does not go with spec, or [hsm.ErrInvalidKey].
func Verify(public []byte, spec hsm.KeySpec, alg hsm.SigningAlgorithm, digest, signature []byte) error {
	p, err := parsePublic(spec, public)
	if err != nil {
		return err
	}
	v, ok := p.(verifier)
	if !ok || !Signs(spec, alg) || !fits(alg, digest) {
		return fmt.Errorf("verifying %d bytes by %s with key spec %s: %w", len(digest), alg, spec, hsm.ErrUnsupported)
	}
	if !v.verify(alg, digest, signature) {
		return ErrInvalidSignature
	}
	return nil
}

// Encrypt encrypts to a public key: what Open of [hsm.Private] opens. Errors are
// [ErrPlaintextSize], [hsm.ErrUnsupported] and [hsm.ErrInvalidKey].
func Encrypt(public []byte, spec hsm.KeySpec, alg hsm.EncryptionAlgorithm, plaintext []byte) ([]byte, error) {
	p, err := parsePublic(spec, public)
	if err != nil {
		return nil, err
	}
	e, ok := p.(encrypter)
	if !ok || !slices.Contains(EncryptionAlgorithms(spec), alg) {
		return nil, fmt.Errorf("encrypting by %s with key spec %s: %w", alg, spec, hsm.ErrUnsupported)
	}
	if len(plaintext) > MaxPlaintext(spec, alg) {
		return nil, fmt.Errorf("encrypting %d bytes by %s with key spec %s: %w", len(plaintext), alg, spec, ErrPlaintextSize)
	}
	ciphertext, err := e.encrypt(alg, plaintext)
	if err != nil {
		return nil, fmt.Errorf("encrypting by %s with key spec %s: %w", alg, spec, err)
	}
	return ciphertext, nil
}

// Encapsulate makes a 32-byte secret and the ciphertext from which Decapsulate of
// [hsm.Private] gets it (FIPS 203 §7.2). Errors are [hsm.ErrUnsupported] and
// [hsm.ErrInvalidKey].
func Encapsulate(public []byte, spec hsm.KeySpec) (secret, ciphertext []byte, err error) {
	p, err := parsePublic(spec, public)
	if err != nil {
		return nil, nil, err
	}
	e, ok := p.(encapsulator)
	if !ok {
		return nil, nil, fmt.Errorf("encapsulating with key spec %s: %w", spec, hsm.ErrUnsupported)
	}
	if secret, ciphertext, err = e.encapsulate(); err != nil {
		return nil, nil, fmt.Errorf("encapsulating with key spec %s: %w", spec, err)
	}
	return secret, ciphertext, nil
}

// MaxPlaintext is the length in bytes of the longest plaintext that Encrypt takes
// (AWS KMS API reference, Encrypt), 0 where alg does not go with spec.
func MaxPlaintext(spec hsm.KeySpec, alg hsm.EncryptionAlgorithm) int {
	if !slices.Contains(EncryptionAlgorithms(spec), alg) {
		return 0
	}
	if alg == hsm.SM2PKE {
		return maxSM2Plaintext
	}
	return modulusBits(spec)/8 - 2*oaepHash(alg).Size() - 2 // RFC 8017 §7.1.1
}
