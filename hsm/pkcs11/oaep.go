package pkcs11

import (
	"crypto/sha1" // OAEP does not rest on collision resistance
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"hash"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
)

// unpad takes the OAEP padding with an empty label off what RSA decrypted, as
// long as the modulus. It works in place and answers a copy, or
// ErrInvalidCiphertext; how long it takes does not depend on what is wrong (RFC
// 8017 §7.1.2 step 3, Manger's attack).
func unpad(em []byte, hash uint) ([]byte, error) {
	h := sha256.New()
	if hash == p11.CKM_SHA_1 {
		h = sha1.New()
	}
	n := h.Size()
	if len(em) < 2*n+2 {
		return nil, hsm.ErrInvalidCiphertext
	}
	seed, db := em[1:n+1], em[n+1:]
	mask(seed, db, h)
	mask(db, seed, h)
	h.Reset()
	good := subtle.ConstantTimeByteEq(em[0], 0) & subtle.ConstantTimeCompare(h.Sum(nil), db[:n])
	rest := db[n:] // zeros, a one, the message
	looking, index := 1, 0
	for i, b := range rest {
		one := subtle.ConstantTimeByteEq(b, 1)
		index = subtle.ConstantTimeSelect(looking&one, i, index)
		looking &= 1 - one
		good &= 1 - looking&(1-subtle.ConstantTimeByteEq(b, 0))
	}
	if good&(1-looking) != 1 {
		return nil, hsm.ErrInvalidCiphertext
	}
	return append([]byte(nil), rest[index+1:]...), nil
}

// mask xors MGF1 of seed to out (RFC 8017 §B.2.1).
func mask(out, seed []byte, h hash.Hash) {
	var counter [4]byte
	for i := uint32(0); len(out) > 0; i++ {
		binary.BigEndian.PutUint32(counter[:], i)
		h.Reset()
		h.Write(seed)
		h.Write(counter[:])
		out = out[subtle.XORBytes(out, out, h.Sum(nil)):]
	}
}
