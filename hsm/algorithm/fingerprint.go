package algorithm

import (
	"crypto/aes"
	"crypto/sha256"
	"fmt"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/wipe"
)

// A fingerprint is SHA-256 of a label, the key spec, and an image: of a private
// key its SubjectPublicKeyInfo, of a secret key its answer to a probe. The image
// is one that a device computes without giving the key away, hence another
// function for either kind of secret key: of an AES key two blocks encrypted (a
// permutation is as good as a pseudo-random function for two inputs), of an HMAC
// key its own HMAC.

const fingerprintLabel = "cofre key material v1\x00"

// Probe is what a secret key of a spec is asked for its fingerprint: for
// SYMMETRIC_DEFAULT two blocks to encrypt with AES in ECB mode, for HMAC_… the
// message to authenticate with [MACAlgorithmOf] the spec. It is nil of a spec of
// private keys. Two blocks of zeros and ones would do; these are apart from the
// input of XAES (hsm/xaes), whose last 12 bytes are a random nonce's.
func Probe(spec hsm.KeySpec) []byte {
	if SecretSize(spec) == 0 {
		return nil
	}
	return []byte("cofre material 1cofre material 2")
}

// Fingerprint answers the fingerprint of a key of a spec: image is the answer to
// [Probe] of a secret key, the SubjectPublicKeyInfo, as [Key.Public] encodes it,
// of a private one.
func Fingerprint(spec hsm.KeySpec, image []byte) hsm.Fingerprint {
	h := sha256.New()
	h.Write([]byte(fingerprintLabel))
	h.Write([]byte(spec))
	h.Write([]byte{0})
	h.Write(image)
	return hsm.Fingerprint(h.Sum(nil))
}

// Fingerprint answers the fingerprint of the key.
func (k *Key) Fingerprint() (hsm.Fingerprint, error) {
	image, err := k.image()
	if err != nil {
		return hsm.Fingerprint{}, fmt.Errorf("fingerprint of a key of %s: %w", k.spec, err)
	}
	return Fingerprint(k.spec, image), nil
}

func (k *Key) image() ([]byte, error) {
	s, ok := k.material.(*secret)
	if !ok {
		return k.Public()
	}
	probe := Probe(k.spec)
	if alg := MACAlgorithmOf(k.spec); alg != "" {
		return s.mac(alg, probe)
	}
	block, err := aes.NewCipher(s.value)
	if err != nil {
		return nil, fmt.Errorf("expanding an AES key: %w", err)
	}
	defer wipe.Value(block)
	image := make([]byte, len(probe))
	for at := 0; at < len(probe); at += aes.BlockSize {
		block.Encrypt(image[at:], probe[at:])
	}
	return image, nil
}
