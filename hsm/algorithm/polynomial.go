package algorithm

import (
	"crypto/sha3"
	"math/bits"
)

// The ring of ML-DSA: polynomials of degree 255 modulo q (FIPS 204 §2.3), for
// public values only.

const (
	q = 8380417
	n = 256
	// root is ζ, a 512th root of unity modulo q (FIPS 204 §2.5).
	root = 1753
	// inverseN is 256⁻¹ modulo q (FIPS 204 Algorithm 42).
	inverseN = 8347681
)

// polynomial has coefficients from 0 to q − 1.
type polynomial [n]uint32

func multiply(a, b uint32) uint32 { return uint32(uint64(a) * uint64(b) % q) }

// zetas are the powers of ζ in the order of FIPS 204 Appendix B: entry i is
// ζ^BitRev8(i).
func zetas() *polynomial {
	var z polynomial
	power := uint32(1)
	for i := range n {
		z[bits.Reverse8(uint8(i))] = power
		power = multiply(power, root)
	}
	return &z
}

// ntt transforms in place (FIPS 204 Algorithm 41).
func (p *polynomial) ntt(zeta *polynomial) {
	m := 0
	for length := n / 2; length >= 1; length /= 2 {
		for start := 0; start < n; start += 2 * length {
			m++
			for j := start; j < start+length; j++ {
				t := multiply(zeta[m], p[j+length])
				p[j+length] = (p[j] + q - t) % q
				p[j] = (p[j] + t) % q
			}
		}
	}
}

// inverse undoes ntt in place (FIPS 204 Algorithm 42).
func (p *polynomial) inverse(zeta *polynomial) {
	m := n
	for length := 1; length < n; length *= 2 {
		for start := 0; start < n; start += 2 * length {
			m--
			for j := start; j < start+length; j++ {
				t := p[j]
				p[j] = (t + p[j+length]) % q
				p[j+length] = multiply(q-zeta[m], (t+q-p[j+length])%q)
			}
		}
	}
	for j := range p {
		p[j] = multiply(p[j], inverseN)
	}
}

// addProduct adds the product of two transformed polynomials.
func (p *polynomial) addProduct(a, b *polynomial) {
	for j := range p {
		p[j] = (p[j] + multiply(a[j], b[j])) % q
	}
}

// norm is the largest absolute value of a coefficient, modulo ±q.
func (p *polynomial) norm() uint32 {
	var largest uint32
	for _, x := range p {
		largest = max(largest, min(x, q-x))
	}
	return largest
}

// unpack reads coefficients of width bits, little-endian (FIPS 204 Algorithm 18).
func unpack(p *polynomial, packed []byte, width int) {
	var buffer uint64
	filled, next := 0, 0
	for j := range p {
		for ; filled < width; filled += 8 {
			buffer |= uint64(packed[next]) << filled
			next++
		}
		p[j] = uint32(buffer & (1<<width - 1))
		buffer >>= width
		filled -= width
	}
}

// unpackZ reads a polynomial of z (BitUnpack with b = γ1, FIPS 204 Algorithm 19).
func unpackZ(p *polynomial, packed []byte, gamma1Bits int) {
	unpack(p, packed, gamma1Bits+1)
	for j, x := range p {
		p[j] = (q + 1<<gamma1Bits - x) % q
	}
}

// expandA answers an entry of A, in NTT form (FIPS 204 Algorithms 30 and 32).
func expandA(rho []byte, row, column int) polynomial {
	h := sha3.NewSHAKE128()
	_, _ = h.Write(rho) // never fails
	_, _ = h.Write([]byte{byte(column), byte(row)})
	var p polynomial
	var b [168]byte // the rate of SHAKE128, a multiple of 3
	at := len(b)
	for j := 0; j < n; at += 3 {
		if at == len(b) {
			_, _ = h.Read(b[:]) // never fails
			at = 0
		}
		if x := uint32(b[at]) | uint32(b[at+1])<<8 | uint32(b[at+2]&0x7F)<<16; x < q {
			p[j] = x
			j++
		}
	}
	return p
}

// sampleInBall answers the challenge c (FIPS 204 Algorithm 29).
func sampleInBall(seed []byte, tau int) polynomial {
	h := sha3.NewSHAKE256()
	_, _ = h.Write(seed) // never fails
	var signs [8]byte
	_, _ = h.Read(signs[:]) // never fails
	var c polynomial
	for i := n - tau; i < n; i++ {
		var j [1]byte
		for {
			_, _ = h.Read(j[:])
			if int(j[0]) <= i {
				break
			}
		}
		c[i] = c[j[0]]
		c[j[0]] = 1
		if s := i + tau - n; signs[s/8]>>(s%8)&1 == 1 {
			c[j[0]] = q - 1
		}
	}
	return c
}
