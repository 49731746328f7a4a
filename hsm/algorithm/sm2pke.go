package algorithm

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/subtle"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"

	"github.com/cofre-kms/cofre/hsm"
)

// SM2 public key encryption (GB/T 32918.4) is written out on the library's curve
// and hash, because the library's own is wrong about short texts: where the first
// key stream that it draws is zero (for one of 256 one-byte plaintexts) it
// encrypts to another key, and it opens no ciphertext whose C2 happens to be zero.

// sm2Ciphertext is SM2Cipher (GM/T 0009 §7.2): C1's coordinates, C3, C2.
type sm2Ciphertext struct {
	X, Y *big.Int
	Hash []byte
	Text []byte
}

// encrypt is GB/T 32918.4 §6.1.
func (p sm2Public) encrypt(_ hsm.EncryptionAlgorithm, plaintext []byte) ([]byte, error) {
	if len(plaintext) == 0 { // there is no key stream of no length
		return nil, ErrPlaintextSize
	}
	px, py := split(p.point)
	for {
		one, err := sm2.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		ephemeral, err := newSM2(one)
		if err != nil {
			return nil, err
		}
		ciphertext, ok, err := ephemeral.encryptTo(px, py, plaintext)
		ephemeral.wipe()
		if ok || err != nil {
			return ciphertext, err
		}
	}
}

// encryptTo encrypts with k as the random number. It is not ok if the key stream
// is zero.
func (k *sm2Key) encryptTo(px, py *big.Int, plaintext []byte) (ciphertext []byte, ok bool, err error) {
	s := k.share(px, py)
	defer s.wipe()
	text, ok := s.mask(plaintext)
	if !ok {
		return nil, false, nil
	}
	x, y := split(k.point)
	ciphertext, err = asn1.Marshal(sm2Ciphertext{x, y, s.hash(plaintext), text})
	return ciphertext, true, err
}

// open is GB/T 32918.4 §7.1.
func (k *sm2Key) open(alg hsm.EncryptionAlgorithm, ciphertext []byte) ([]byte, error) {
	if alg != hsm.SM2PKE {
		return nil, fmt.Errorf("opening by %s with key spec %s: %w", alg, hsm.SM2, hsm.ErrUnsupported)
	}
	var c sm2Ciphertext
	if unmarshal(ciphertext, &c) != nil || len(c.Hash) != sm3Size || len(c.Text) == 0 || !onCurve(c.X, c.Y) {
		return nil, hsm.ErrInvalidCiphertext
	}
	s := k.share(c.X, c.Y)
	defer s.wipe()
	plaintext, ok := s.mask(c.Text)
	if subtle.ConstantTimeCompare(s.hash(plaintext), c.Hash) != 1 || !ok {
		clear(plaintext)
		return nil, hsm.ErrInvalidCiphertext
	}
	return plaintext, nil
}

// shared is the point that both sides know: x2 ‖ y2.
type shared [2 * scalarSize]byte

func (s *shared) wipe() { clear(s[:]) }

// multiplier is what of SM2's curve crypto/elliptic does not want used any more;
// the library's is the constant-time one of its other operations.
type multiplier interface {
	ScalarMult(x, y *big.Int, scalar []byte) (*big.Int, *big.Int)
}

// share multiplies a point of the curve with the private number.
func (k *sm2Key) share(x, y *big.Int) *shared {
	d := k.scalar()
	defer clear(d)
	var curve elliptic.Curve = sm2.P256()
	sx, sy := curve.(multiplier).ScalarMult(x, y, d)
	defer wipeInt(sx)
	defer wipeInt(sy)
	var s shared
	sx.FillBytes(s[:scalarSize])
	sy.FillBytes(s[scalarSize:])
	return &s
}

// mask adds the key stream to a text. It is not ok if the key stream is zero.
func (s *shared) mask(text []byte) (masked []byte, ok bool) {
	stream := sm3.Kdf(s[:], len(text))
	zero := subtle.ConstantTimeCompare(stream, make([]byte, len(stream)))
	subtle.XORBytes(stream, stream, text)
	return stream, zero == 0
}

// hash is C3 of a plaintext.
func (s *shared) hash(plaintext []byte) []byte {
	h := sm3.New()
	h.Write(s[:scalarSize])
	h.Write(plaintext)
	h.Write(s[scalarSize:])
	return h.Sum(nil)
}

// split answers the coordinates of an uncompressed point (SEC 1 §2.3.3).
func split(point []byte) (x, y *big.Int) {
	point = point[1:]
	return new(big.Int).SetBytes(point[:scalarSize]), new(big.Int).SetBytes(point[scalarSize:])
}

// onCurve says whether these are the coordinates of a point of SM2's curve.
func onCurve(x, y *big.Int) bool {
	for _, c := range []*big.Int{x, y} {
		if c == nil || c.Sign() < 0 || c.BitLen() > 8*scalarSize {
			return false
		}
	}
	point := make([]byte, 1+2*scalarSize)
	point[0] = 4 // uncompressed
	x.FillBytes(point[1 : 1+scalarSize])
	y.FillBytes(point[1+scalarSize:])
	_, err := sm2.NewPublicKey(point)
	return err == nil
}
