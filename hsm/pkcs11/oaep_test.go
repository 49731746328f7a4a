package pkcs11

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
)

// TestUnpad compares with the standard library's padding, and changes each byte
// of it.
func TestUnpad(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	for _, hash := range []uint{p11.CKM_SHA_1, p11.CKM_SHA256} {
		for _, size := range []int{0, 1, 100, 256 - 2*sizeOf(hash) - 2} {
			text := random(size)
			ciphertext, err := rsa.EncryptOAEP(hashOf(hash).New(), rand.Reader, &key.PublicKey, text, nil)
			must(t, err)
			padded := new(big.Int).Exp(new(big.Int).SetBytes(ciphertext), key.D, key.N).FillBytes(make([]byte, 256))
			if got, err := unpad(bytes.Clone(padded), hash); err != nil || !bytes.Equal(got, text) {
				t.Errorf("unpadded %d bytes to %d, %v", size, len(got), err)
			}
			for i := range padded {
				wrong := bytes.Clone(padded)
				wrong[i] ^= 1
				if _, err := unpad(wrong, hash); err != hsm.ErrInvalidCiphertext {
					t.Errorf("byte %d changed: %v", i, err)
				}
			}
		}
		for _, short := range []int{0, 1, 2*sizeOf(hash) + 1} {
			_, err := unpad(make([]byte, short), hash)
			wants(t, "a short padding", err, hsm.ErrInvalidCiphertext)
		}
	}
}

// TestUnpadNothing: a padding of which all is right but that it never ends.
func TestUnpadNothing(t *testing.T) {
	for _, hash := range []uint{p11.CKM_SHA_1, p11.CKM_SHA256} {
		for name, rest := range map[string][]byte{"zeros": make([]byte, 64), "a two": append(make([]byte, 63), 2)} {
			h := hashOf(hash).New()
			seed := random(h.Size())
			db := append(h.Sum(nil), rest...)
			mask(db, seed, hashOf(hash).New())
			mask(seed, db, hashOf(hash).New())
			_, err := unpad(append(append([]byte{0}, seed...), db...), hash)
			wants(t, name, err, hsm.ErrInvalidCiphertext)
		}
	}
}
