package algorithm

import (
	"bytes"
	"crypto/sha3"

	"github.com/cofre-kms/cofre/hsm"
)

// Verification of an ML-DSA signature over mu (FIPS 204 Algorithm 8). The
// libraries verify messages only; AWS's EXTERNAL_MU needs this. It touches
// nothing secret, so it need not run in constant time.

// parameterSet is a row of FIPS 204 Table 1.
type parameterSet struct {
	k, l       int // rows and columns of A
	gamma1Bits int // γ1 = 2^gamma1Bits
	gamma2     uint32
	challenge  int // bytes of c̃, λ/4
	tau        int // coefficients of c that are not zero
	beta       uint32
	omega      int // ones in h, at most
}

func parametersOf(spec hsm.KeySpec) parameterSet {
	switch spec {
	case hsm.MLDSA44:
		return parameterSet{4, 4, 17, (q - 1) / 88, 32, 39, 78, 80}
	case hsm.MLDSA65:
		return parameterSet{6, 5, 19, (q - 1) / 32, 48, 49, 196, 55}
	default:
		return parameterSet{8, 7, 19, (q - 1) / 32, 64, 60, 120, 75}
	}
}

const (
	rhoSize  = 32         // bytes
	t1Bits   = 10         // of a coefficient of t1
	t1Size   = n / 8 * 10 // bytes of a polynomial of t1
	dropBits = 13         // d of FIPS 204 Table 1
	maxW1    = n * 6 / 8  // bytes of an encoded polynomial of w1
)

func (s parameterSet) zSize() int         { return n / 8 * (s.gamma1Bits + 1) }
func (s parameterSet) publicSize() int    { return rhoSize + s.k*t1Size }
func (s parameterSet) signatureSize() int { return s.challenge + s.l*s.zSize() + s.omega + s.k }

// verifyMu says whether signature is one of mu by a public key, both of set's
// length.
func verifyMu(set parameterSet, public, mu, signature []byte) bool {
	if len(signature) != set.signatureSize() {
		return false
	}
	challenge, rest := signature[:set.challenge], signature[set.challenge:]
	zeta := zetas()
	z := make([]polynomial, set.l)
	for i := range z {
		unpackZ(&z[i], rest[i*set.zSize():], set.gamma1Bits)
		if z[i].norm() >= 1<<set.gamma1Bits-set.beta {
			return false
		}
		z[i].ntt(zeta)
	}
	hints, ok := unpackHints(set, rest[set.l*set.zSize():])
	if !ok {
		return false
	}
	c := sampleInBall(challenge, set.tau)
	c.ntt(zeta)

	h := sha3.NewSHAKE256()
	_, _ = h.Write(mu) // never fails
	for i := range set.k {
		w := approximate(public, z, &c, i, zeta)
		packed := make([]byte, 0, maxW1)
		_, _ = h.Write(packW1(packed, &w, &hints[i], set.gamma2))
	}
	again := make([]byte, set.challenge)
	_, _ = h.Read(again) // never fails
	return bytes.Equal(again, challenge)
}

// approximate answers row i of w′ = A z − c t1 2^d. z and c are in NTT form.
func approximate(public []byte, z []polynomial, c *polynomial, i int, zeta *polynomial) polynomial {
	var w, t polynomial
	for j := range z {
		a := expandA(public[:rhoSize], i, j)
		w.addProduct(&a, &z[j])
	}
	unpack(&t, public[rhoSize+i*t1Size:], t1Bits)
	for j, x := range t {
		t[j] = q - x<<dropBits%q // −t1 2^d
	}
	t.ntt(zeta)
	w.addProduct(&t, c)
	w.inverse(zeta)
	return w
}

// unpackHints is HintBitUnpack (FIPS 204 Algorithm 21).
func unpackHints(set parameterSet, y []byte) ([][n]bool, bool) {
	hints := make([][n]bool, set.k)
	index := 0
	for i := range hints {
		end := int(y[set.omega+i])
		if end < index || end > set.omega {
			return nil, false
		}
		for first := index; index < end; index++ {
			if index > first && y[index-1] >= y[index] {
				return nil, false
			}
			hints[i][y[index]] = true
		}
	}
	for _, b := range y[index:set.omega] {
		if b != 0 {
			return nil, false
		}
	}
	return hints, true
}

// packW1 appends UseHint of a polynomial (FIPS 204 Algorithm 40), encoded by
// w1Encode (Algorithm 28).
func packW1(dst []byte, w *polynomial, hints *[n]bool, gamma2 uint32) []byte {
	m := (q - 1) / (2 * gamma2)
	bits := 4 // m = 16
	if m == 44 {
		bits = 6
	}
	var buffer uint32
	filled := 0
	for i, r := range w {
		high, positive := decompose(r, gamma2)
		if hints[i] && positive {
			high = (high + 1) % m
		} else if hints[i] {
			high = (high + m - 1) % m
		}
		buffer |= high << filled
		for filled += bits; filled >= 8; filled -= 8 {
			dst = append(dst, byte(buffer))
			buffer >>= 8
		}
	}
	return dst
}

// decompose answers r1, and whether r0 is positive (FIPS 204 Algorithm 36).
func decompose(r, gamma2 uint32) (high uint32, positive bool) {
	low := r % (2 * gamma2)
	high = r / (2 * gamma2)
	if low > gamma2 { // r0 = low − 2 γ2
		high++
		if high*2*gamma2 == q-1 {
			return 0, false // r − r0 = q − 1: r1 is 0, r0 one less
		}
		return high, false
	}
	if r-low == q-1 {
		return 0, false
	}
	return high, low > 0
}
