// Package xaes owns the arithmetic of XAES-256-GCM (c2sp.org/XAES-256-GCM) that
// is the same in every partition: the input of the key derivation, and the
// choice of nonces.
//
// It holds no key; the AES calls are the partition's. It is safe because a nonce
// comes from one place only, [Epoch.Next], which never answers the same twice.
package xaes

import (
	"crypto/subtle"
	"math"
	"sync/atomic"

	"github.com/cofre-kms/cofre/hsm"
)

const (
	// PrefixSize is the length in bytes of the part of the nonce that the derived
	// key depends on.
	PrefixSize = 12
	// BlockSize is the length in bytes of an AES block.
	BlockSize = 16
	// SeedSize is how many random bytes an epoch needs.
	SeedSize = hsm.NonceSize - counterSize

	counterSize = 4
	// maxMessages is what one derived key seals at most: all values of the
	// counter.
	maxMessages = math.MaxUint32 + 1
)

// Subkey computes K1, the CMAC subkey (NIST SP 800-38B §6.1), from l =
// AES-256_K(0^128): steps 1 and 2 of the specification.
func Subkey(l [BlockSize]byte) (k1 [BlockSize]byte) {
	var carry byte
	for i := BlockSize - 1; i >= 0; i-- {
		k1[i] = l[i]<<1 | carry
		carry = l[i] >> 7
	}
	k1[BlockSize-1] ^= 0b10000111 & -carry
	return k1
}

// Input is what AES-256_K encrypts, block by block, to give the derived key:
// M1 ⊕ K1 and M2 ⊕ K1 (steps 3 to 5).
func Input(k1 [BlockSize]byte, prefix [PrefixSize]byte) (in [2 * BlockSize]byte) {
	for i := range 2 {
		m := in[i*BlockSize:][:BlockSize]
		m[1], m[2] = byte(i+1), 'X'
		copy(m[4:], prefix[:])
		subtle.XORBytes(m, m, k1[:])
	}
	return in
}

// Prefix is the part of a nonce that the derived key depends on.
func Prefix(nonce [hsm.NonceSize]byte) [PrefixSize]byte { return [PrefixSize]byte(nonce[:PrefixSize]) }

// Epoch hands out the nonces of the messages that one derived key seals. It is
// safe for concurrent use.
//
//	 0            12           20        24
//	┌────────────┬────────────┬─────────┐
//	│ prefix     │ fixed      │ counter │
//	└────────────┴────────────┴─────────┘
//	└──── random, per epoch ──┘
//
// The last 12 bytes, the nonce that GCM sees, are the deterministic construction
// of NIST SP 800-38D §8.2.1. Its fixed field is random as well: should two
// epochs of a key ever draw the same prefix, hence the same derived key, their
// nonces still differ.
type Epoch struct {
	seed [SeedSize]byte
	used atomic.Uint64
}

// NewEpoch begins an epoch; seed comes from the partition's random number
// generator and is used for no other.
func NewEpoch(seed [SeedSize]byte) *Epoch { return &Epoch{seed: seed} }

// Prefix is the prefix of all nonces of the epoch.
func (e *Epoch) Prefix() [PrefixSize]byte { return [PrefixSize]byte(e.seed[:PrefixSize]) }

// Next answers a nonce that it has not answered before, and false after the
// 2^32nd, when the epoch is over.
func (e *Epoch) Next() (nonce [hsm.NonceSize]byte, ok bool) {
	n := e.used.Add(1) - 1
	if n >= maxMessages {
		return nonce, false
	}
	copy(nonce[:], e.seed[:])
	nonce[20], nonce[21], nonce[22], nonce[23] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return nonce, true
}

// End ends the epoch: Next answers no more nonces.
func (e *Epoch) End() { e.used.Store(maxMessages) }
