// Package kwp implements AES Key Wrap with Padding (RFC 5649, NIST SP 800-38F
// §6.3 KWP), the form in which key material leaves a partition.
//
// It keeps no state and holds no key. It is safe because unwrapping answers
// nothing of what it decrypted unless the integrity check holds, and checks
// without a branch on secret bytes.
package kwp

import (
	"bytes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// ErrInvalid is returned when wrapped bytes are not the wrapping of anything
// under the key.
var ErrInvalid = errors.New("wrapped key does not unwrap")

const (
	semiblock = 8          // bytes; SP 800-38F §4.1
	block     = 16         // bytes of an AES block
	icv2      = 0xA65959A6 // RFC 5649 §3
	maxKey    = 1 << 16    // bytes; far above any key, far below RFC 5649's 2^32
)

// Wrap wraps key, 1 to 65536 bytes, under kek, an AES cipher.
func Wrap(kek cipher.Block, key []byte) ([]byte, error) {
	if len(key) == 0 || len(key) > maxKey {
		return nil, errors.New("key to wrap is empty or too long")
	}
	padded := (len(key) + semiblock - 1) / semiblock * semiblock
	out := make([]byte, semiblock+padded)
	// The alternative initial value carries the length (RFC 5649 §3).
	binary.BigEndian.PutUint32(out, icv2)
	binary.BigEndian.PutUint32(out[4:], uint32(len(key)))
	copy(out[semiblock:], key)
	if len(out) == block { // RFC 5649 §4.1: one semiblock is one encryption
		kek.Encrypt(out, out)
		return out, nil
	}
	wrap(kek, out)
	return out, nil
}

// Unwrap answers the key in wrapped, or [ErrInvalid]. The caller wipes it.
func Unwrap(kek cipher.Block, wrapped []byte) ([]byte, error) {
	if len(wrapped) < block || len(wrapped)%semiblock != 0 || len(wrapped) > maxKey+semiblock {
		return nil, ErrInvalid
	}
	out := bytes.Clone(wrapped)
	if len(out) == block {
		kek.Decrypt(out, out)
	} else {
		unwrap(kek, out)
	}
	n, ok := check(out)
	if !ok {
		clear(out)
		return nil, ErrInvalid
	}
	return out[semiblock : semiblock+n], nil
}

// wrap is W of SP 800-38F §6.1 in place: a ‖ r[1] … r[n].
func wrap(kek cipher.Block, s []byte) {
	n := len(s)/semiblock - 1
	var b [block]byte
	buf := b[:]
	copy(buf, s[:semiblock])
	for t := 1; t <= 6*n; t++ {
		r := s[semiblock*((t-1)%n+1):][:semiblock]
		copy(buf[semiblock:], r)
		kek.Encrypt(buf, buf)
		copy(r, buf[semiblock:])
		xorCounter(buf, t)
	}
	copy(s, buf[:semiblock])
}

// unwrap is W⁻¹ of SP 800-38F §6.1 in place.
func unwrap(kek cipher.Block, s []byte) {
	n := len(s)/semiblock - 1
	var b [block]byte
	buf := b[:]
	copy(buf, s[:semiblock])
	for t := 6 * n; t > 0; t-- {
		r := s[semiblock*((t-1)%n+1):][:semiblock]
		xorCounter(buf, t)
		copy(buf[semiblock:], r)
		kek.Decrypt(buf, buf)
		copy(r, buf[semiblock:])
	}
	copy(s, buf[:semiblock])
	clear(buf)
}

func xorCounter(a []byte, t int) {
	binary.BigEndian.PutUint64(a, binary.BigEndian.Uint64(a)^uint64(t))
}

// check verifies the integrity check value, the length and the zero padding
// (RFC 5649 §3), and answers the length of the key.
func check(s []byte) (n int, ok bool) {
	padded := len(s) - semiblock
	n = int(binary.BigEndian.Uint32(s[4:]))
	good := subtle.ConstantTimeEq(int32(binary.BigEndian.Uint32(s)), int32(icv2-1<<32))
	good &= subtle.ConstantTimeLessOrEq(padded-semiblock+1, n&(1<<31-1))
	good &= subtle.ConstantTimeLessOrEq(n&(1<<31-1), padded)
	good &= subtle.ConstantTimeEq(int32(n>>31), 0)
	var stray byte
	for i := padded - semiblock + 1; i < padded; i++ { // the last semiblock may hold padding
		beyond := byte(subtle.ConstantTimeLessOrEq(n&(1<<31-1), i))
		stray |= s[semiblock+i] & -beyond
	}
	good &= subtle.ConstantTimeByteEq(stray, 0)
	return n, good == 1
}
