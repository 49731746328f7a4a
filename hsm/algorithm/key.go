// Package algorithm is the arithmetic of all key specs in Go, on raw key
// material and on public keys: what hsm/soft does inside of the process, what
// hsm/pkcs11 does with keys that a device only keeps, and what a node does with a
// public key, for which it needs no partition.
//
// It owns the encodings of key material: the raw value of a secret key, the
// PKCS#8 DER of a private one, the SubjectPublicKeyInfo DER of a public one. It
// stores nothing, and knows no domain key. It is safe because each algorithm is
// the standard library's or a well-kept library's, parsing takes nothing on
// trust, and secrets are wiped as far as those libraries let us (see DESIGN.md of
// the parent folder, also for what does not run in constant time).
package algorithm

import (
	"fmt"

	"github.com/cofre-kms/cofre/hsm"
)

// material is a secret or private key, ready for use. What more it can do, it
// says by the interfaces below. It is safe for concurrent use until wiped.
type material interface {
	// marshal answers the material in its one encoding, for the caller to wipe.
	marshal() ([]byte, error)
	// public answers the SubjectPublicKeyInfo, nil of a secret key.
	public() ([]byte, error)
	wipe()
}

type signer interface {
	sign(alg hsm.SigningAlgorithm, digest []byte) ([]byte, error)
}

type authenticator interface {
	mac(alg hsm.MACAlgorithm, message []byte) ([]byte, error)
}

type opener interface {
	open(alg hsm.EncryptionAlgorithm, ciphertext []byte) ([]byte, error)
}

type agreer interface {
	agree(peer []byte) ([]byte, error)
}

type decapsulator interface {
	decapsulate(ciphertext []byte) ([]byte, error)
}

// Key is a secret or private key in the memory of the process. It is safe for
// concurrent use; after Wipe nobody may use it.
type Key struct {
	spec     hsm.KeySpec
	material material
}

// Generate makes a key of a spec: raw is the value of a secret key or the PKCS#8
// DER of a private one, for the caller to wipe; public is the
// SubjectPublicKeyInfo DER of a private key, nil of a secret one. A spec that is
// not in this package is [hsm.ErrUnsupported].
func Generate(spec hsm.KeySpec) (raw, public []byte, err error) {
	f, err := familyOf(spec)
	if err != nil {
		return nil, nil, err
	}
	m, err := f.generate(spec)
	if err != nil {
		return nil, nil, fmt.Errorf("generating a key of %s: %w", spec, err)
	}
	return encode(&Key{spec, m})
}

// Import reads material that came from outside and answers it in the encoding
// that Generate gives, so that one key has one encoding, with its fingerprint.
// Material that is none of spec is [hsm.ErrInvalidKey].
func Import(spec hsm.KeySpec, material []byte) (raw, public []byte, f hsm.Fingerprint, err error) {
	if n := SecretSize(spec); n > 0 && len(material) != n {
		return nil, nil, f, fmt.Errorf("material of %d bytes for %s: %w", len(material), spec, hsm.ErrInvalidKey)
	}
	k, err := Parse(spec, material)
	if err != nil {
		return nil, nil, f, err
	}
	if SecretSize(spec) == 0 && !whole(material) {
		k.Wipe()
		return nil, nil, f, fmt.Errorf("material of %s with something behind it: %w", spec, hsm.ErrInvalidKey)
	}
	if f, err = k.Fingerprint(); err != nil {
		k.Wipe()
		return nil, nil, f, err
	}
	raw, public, err = encode(k)
	return raw, public, f, err
}

// encode answers a key's encodings, and wipes it.
func encode(k *Key) (raw, public []byte, err error) {
	defer k.Wipe()
	if public, err = k.Public(); err != nil {
		return nil, nil, err
	}
	if raw, err = k.material.marshal(); err != nil {
		return nil, nil, fmt.Errorf("encoding a key of %s: %w", k.spec, err)
	}
	return raw, public, nil
}

// Parse reads what Generate or Import answered as raw, or a token wrapped, which
// may end in padding. Material that is none of spec is [hsm.ErrInvalidKey].
func Parse(spec hsm.KeySpec, raw []byte) (*Key, error) {
	f, err := familyOf(spec)
	if err != nil {
		return nil, err
	}
	m, err := f.parse(spec, raw)
	if err != nil {
		return nil, fmt.Errorf("reading a key of %s: %w: %w", spec, hsm.ErrInvalidKey, err)
	}
	return &Key{spec, m}, nil
}

// Spec is the key's spec.
func (k *Key) Spec() hsm.KeySpec { return k.spec }

// Public answers the SubjectPublicKeyInfo DER of a private key, nil of a secret
// one.
func (k *Key) Public() ([]byte, error) {
	der, err := k.material.public()
	if err != nil {
		return nil, fmt.Errorf("encoding a public key of %s: %w", k.spec, err)
	}
	return der, nil
}

// Wipe overwrites the secrets, as far as they can be reached.
func (k *Key) Wipe() { k.material.wipe() }

// Sign does what Sign of [hsm.Private] says, with the same errors.
func (k *Key) Sign(alg hsm.SigningAlgorithm, digest []byte) ([]byte, error) {
	s, ok := k.material.(signer)
	if !ok || !Signs(k.spec, alg) || !fits(alg, digest) {
		return nil, fmt.Errorf("signing %d bytes by %s with key spec %s: %w", len(digest), alg, k.spec, hsm.ErrUnsupported)
	}
	signature, err := s.sign(alg, digest)
	if err != nil {
		return nil, fmt.Errorf("signing by %s with key spec %s: %w", alg, k.spec, err)
	}
	return signature, nil
}

// MAC does what MAC of [hsm.Symmetric] says, with the same errors.
func (k *Key) MAC(alg hsm.MACAlgorithm, message []byte) ([]byte, error) {
	a, ok := k.material.(authenticator)
	if !ok {
		return nil, fmt.Errorf("MAC by %s with key spec %s: %w", alg, k.spec, hsm.ErrUnsupported)
	}
	return a.mac(alg, message)
}

// Open does what Open of [hsm.Private] says, with the same errors.
func (k *Key) Open(alg hsm.EncryptionAlgorithm, ciphertext []byte) ([]byte, error) {
	o, ok := k.material.(opener)
	if !ok {
		return nil, fmt.Errorf("opening by %s with key spec %s: %w", alg, k.spec, hsm.ErrUnsupported)
	}
	return o.open(alg, ciphertext)
}

// Agree does what Agree of [hsm.Private] says, with the same errors.
func (k *Key) Agree(peer []byte) ([]byte, error) {
	a, ok := k.material.(agreer)
	if !ok {
		return nil, fmt.Errorf("agreeing with key spec %s: %w", k.spec, hsm.ErrUnsupported)
	}
	return a.agree(peer)
}

// Decapsulate does what Decapsulate of [hsm.Private] says, with the same errors.
func (k *Key) Decapsulate(ciphertext []byte) ([]byte, error) {
	d, ok := k.material.(decapsulator)
	if !ok {
		return nil, fmt.Errorf("decapsulating with key spec %s: %w", k.spec, hsm.ErrUnsupported)
	}
	return d.decapsulate(ciphertext)
}
