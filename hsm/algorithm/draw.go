package algorithm

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/mlkem"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/emmansun/gmsm/sm2"

	"github.com/cofre-kms/cofre/hsm"
)

// GenerateFrom is Generate for a private key that comes from the bytes of random
// alone, as many as it takes: a partition's, say. (What the standard library
// generates it draws from the operating system, whatever reader it is given.)
// The same bytes make the same key. ML-DSA and secret keys are
// [hsm.ErrUnsupported]: no data key pair is of these.
func GenerateFrom(random io.Reader, spec hsm.KeySpec) (raw, public []byte, err error) {
	m, err := draw(random, spec)
	if err != nil {
		return nil, nil, fmt.Errorf("generating a key of %s: %w", spec, err)
	}
	return encode(&Key{spec, m})
}

func draw(random io.Reader, spec hsm.KeySpec) (material, error) {
	switch spec {
	case hsm.RSA2048, hsm.RSA3072, hsm.RSA4096:
		return drawRSA(random, spec)
	case hsm.ECCNistP256, hsm.ECCNistP384, hsm.ECCNistP521:
		return drawScalar(random, curveOf(spec).Params().BitSize, func(d []byte) (material, error) {
			key, err := ecdsa.ParseRawPrivateKey(curveOf(spec), d)
			if err != nil {
				return nil, err
			}
			return &nistKey{spec, key}, nil
		})
	case hsm.ECCSecgP256K1:
		return drawScalar(random, 256, func(d []byte) (material, error) {
			var s secp256k1.ModNScalar
			if overflow := s.SetByteSlice(d); overflow || s.IsZero() {
				return nil, errScalar
			}
			return &k1Key{secp256k1.NewPrivateKey(&s)}, nil
		})
	case hsm.SM2:
		return drawScalar(random, 256, func(d []byte) (material, error) {
			key, err := sm2.NewPrivateKey(d)
			if err != nil {
				return nil, err
			}
			return newSM2(key)
		})
	case hsm.ECCNistEdwards25519:
		seed, err := drawBytes(random, ed25519.SeedSize)
		defer clear(seed)
		if err != nil {
			return nil, err
		}
		return &edwardsKey{ed25519.NewKeyFromSeed(seed)}, nil
	case hsm.MLKEM512, hsm.MLKEM768, hsm.MLKEM1024:
		seed, err := drawBytes(random, mlkem.SeedSize)
		if err != nil {
			return nil, err
		}
		return &mlkemKey{spec, seed}, nil
	}
	return nil, hsm.ErrUnsupported
}

// errScalar is a number that is no private key of a curve.
var errScalar = errors.New("the private number is not on the curve")

func drawBytes(random io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(random, b)
	return b, err
}

// maxDraws bounds how often a number is drawn again. For each of our curves less
// than half of all numbers of its length are out of range: so many in a row means
// a broken source, not bad luck.
const maxDraws = 128

// drawScalar draws numbers of a length in bits until one is a private key (FIPS
// 186-5 §A.2.2).
func drawScalar(random io.Reader, bits int, parse func(d []byte) (material, error)) (material, error) {
	for range maxDraws {
		d, err := drawBytes(random, (bits+7)/8)
		if err != nil {
			return nil, err
		}
		d[0] &= 0xFF >> (8*len(d) - bits)
		m, err := parse(d)
		clear(d)
		if err == nil {
			return m, nil
		}
	}
	return nil, errScalar
}

// exponent is the public exponent of all RSA keys.
const exponent = 65537

// drawRSA makes an RSA key of two drawn primes (FIPS 186-5 §A.1.3).
func drawRSA(random io.Reader, spec hsm.KeySpec) (material, error) {
	bits := modulusBits(spec)
	p, err := drawPrime(random, bits/2)
	if err != nil {
		return nil, err
	}
	q, err := drawPrime(random, bits/2)
	if err != nil {
		return nil, err
	}
	distance := new(big.Int).Sub(p, q)
	defer wipeInt(distance)
	if distance.BitLen() <= bits/2-100 { // step 5.4; never, but for a broken source
		return nil, errors.New("the primes are too close to each other")
	}
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: exponent}, Primes: []*big.Int{p, q}}
	if key.D = privateExponent(p, q); key.D == nil || key.D.BitLen() <= bits/2 { // §A.1.1 (2b)
		return nil, errors.New("the private exponent is too small")
	}
	key.Precompute()
	if err := key.Validate(); err != nil {
		return nil, err
	}
	return &rsaKey{spec, key}, nil
}

// drawPrime draws odd numbers of a length, their two highest bits set, until one
// is prime and one more than a number without a factor in common with the
// exponent. So many bits make p·q as long as it has to be (step 4.4 asks for less).
func drawPrime(random io.Reader, bits int) (*big.Int, error) {
	p, less := new(big.Int), new(big.Int)
	defer wipeInt(less)
	for range 10 * bits { // steps 4.7 and 5.8; about one in bits/3 is prime
		b, err := drawBytes(random, bits/8)
		if err != nil {
			return nil, err
		}
		b[0] |= 0xC0
		b[len(b)-1] |= 1
		p.SetBytes(b)
		clear(b)
		less.Sub(p, big.NewInt(1))
		coprime := new(big.Int).Mod(less, big.NewInt(exponent)).Sign() != 0 // the exponent is prime
		if coprime && p.ProbablyPrime(primeRounds) {
			return p, nil
		}
	}
	return nil, errors.New("no prime among the numbers drawn")
}

// primeRounds is more than FIPS 186-5 Table B.1 asks for, for an error below
// 2^-100; ProbablyPrime adds a Lucas test.
const primeRounds = 20

// privateExponent is the inverse of the exponent modulo lcm(p-1, q-1).
func privateExponent(p, q *big.Int) *big.Int {
	one := big.NewInt(1)
	pLess, qLess := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
	divisor := new(big.Int).GCD(nil, nil, pLess, qLess)
	order := new(big.Int).Mul(pLess, qLess)
	order.Div(order, divisor)
	defer func() {
		for _, n := range []*big.Int{pLess, qLess, divisor, order} {
			wipeInt(n)
		}
	}()
	return new(big.Int).ModInverse(big.NewInt(exponent), order)
}
