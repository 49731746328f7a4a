package pkcs11

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"fmt"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// image answers what the fingerprint of a key is made of, having seen that the
// key works.
func (s *session) image(spec hsm.KeySpec, r *recipe, h objectHandle) ([]byte, error) {
	probe := algorithm.Probe(spec)
	switch {
	case r.secret():
		if err := s.measure(h, r); err != nil {
			return nil, err
		}
		if r.mac != 0 {
			return s.Sign(s.handle, mechanism{number: r.mac}, h, probe)
		}
		var image []byte
		for ; len(probe) > 0; probe = probe[aes.BlockSize:] {
			block, err := s.EncryptBlock(s.handle, h, [aes.BlockSize]byte(probe))
			if err != nil {
				return nil, err
			}
			image = append(image, block[:]...)
		}
		return image, nil
	case r.keyType == p11.CKK_RSA:
		return s.imageOfRSA(spec, r, h)
	default:
		return s.imageOfCurve(spec, r, h)
	}
}

// measure checks the length of a secret key, where the token tells it: SoftHSM
// 2.6.1 says 0 of what it unwrapped, and refuses to use shorter ones.
func (s *session) measure(h objectHandle, r *recipe) error {
	value, err := s.Attribute(s.handle, h, p11.CKA_VALUE_LEN)
	if err != nil || len(value) != 8 {
		return err
	}
	if n := binary.NativeEndian.Uint64(value); n != 0 && n != uint64(r.size) {
		return fmt.Errorf("material of %d bytes, not %d: %w", n, r.size, hsm.ErrInvalidKey)
	}
	return nil
}

func (s *session) imageOfRSA(spec hsm.KeySpec, r *recipe, h objectHandle) ([]byte, error) {
	if _, err := s.confirm(h, r); err != nil {
		return nil, err
	}
	public, err := s.readModulus(h)
	if err != nil {
		return nil, err
	}
	digest, signature, err := s.sample(hsm.RSAPKCS1SHA256, h)
	if err == nil && algorithm.Verify(public, spec, hsm.RSAPKCS1SHA256, digest, signature) != nil {
		err = fmt.Errorf("an RSA key that does not fit its modulus: %w", hsm.ErrInvalidKey)
	}
	return public, err
}

// imageOfCurve finds the public key, which tokens do not keep with the private
// one: ECDH with the curve's generator gives its x-coordinate, and a signature
// tells which of the two points it is.
func (s *session) imageOfCurve(spec hsm.KeySpec, r *recipe, h objectHandle) ([]byte, error) {
	if _, err := s.confirm(h, r); err != nil {
		return nil, err
	}
	x, err := s.agree(h, r, r.generator(spec))
	if err != nil {
		return nil, err
	}
	alg := algorithm.SigningAlgorithms(spec)[0]
	digest, signature, err := s.sample(alg, h)
	if err != nil {
		return nil, err
	}
	for _, sign := range []byte{2, 3} { // of the y-coordinate (SEC 1 §2.3.3)
		point, err := r.decompress(spec, append([]byte{sign}, x...))
		if err != nil {
			return nil, err
		}
		public, err := r.encodePoint(point)
		if err != nil {
			return nil, err
		}
		if algorithm.Verify(public, spec, alg, digest, signature) == nil {
			return public, nil
		}
	}
	return nil, fmt.Errorf("a private key without a public one: %w", hsm.ErrInvalidKey)
}

// sample signs something. It is not zero: an ECDSA signature of zero verifies
// with the negative key, too.
func (s *session) sample(alg hsm.SigningAlgorithm, h objectHandle) (digest, signature []byte, err error) {
	c := signingOf(alg)
	digest = bytes.Repeat([]byte{1}, algorithm.DigestSize(alg))
	signature, err = s.sign(c, h, slices.Concat(c.prefix, digest))
	return digest, signature, err
}
