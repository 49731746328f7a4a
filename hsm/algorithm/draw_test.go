package algorithm

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
)

// drawn are the specs of data key pairs.
func drawn() []hsm.KeySpec {
	return []hsm.KeySpec{
		hsm.RSA2048, hsm.RSA3072, hsm.RSA4096, hsm.ECCNistP256, hsm.ECCNistP384, hsm.ECCNistP521, hsm.ECCSecgP256K1,
		hsm.SM2, hsm.ECCNistEdwards25519, hsm.MLKEM512, hsm.MLKEM768, hsm.MLKEM1024,
	}
}

func source(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

// TestGenerateFrom: a key is a key like every other, and comes from the bytes that
// were read and from nothing else.
func TestGenerateFrom(t *testing.T) {
	for _, spec := range drawn() {
		t.Run(string(spec), func(t *testing.T) {
			raw, public, err := GenerateFrom(source(1), spec)
			must(t, err)
			other, otherPublic, err := GenerateFrom(source(2), spec)
			must(t, err)
			key, err := Parse(spec, raw)
			must(t, err)
			stranger, err := Parse(spec, other)
			must(t, err)
			mine, theirs := pair{key, raw, public}, pair{stranger, other, otherPublic}
			testEncodings(t, mine, theirs)
			testSign(t, mine, theirs)
			testOpen(t, mine)
			testAgree(t, mine, theirs)
			testDecapsulate(t, mine)
			if spec == hsm.RSA3072 || spec == hsm.RSA4096 {
				return // a second time would show nothing that RSA_2048 does not
			}
			again, _, err := GenerateFrom(source(1), spec)
			must(t, err)
			if !bytes.Equal(again, raw) {
				t.Error("the same bytes make another key")
			}
		})
	}
}

func TestGenerateFromRefuses(t *testing.T) {
	broken := errors.New("no more")
	for _, spec := range drawn() {
		_, _, err := GenerateFrom(io.MultiReader(bytes.NewReader([]byte{1}), failing{broken}), spec)
		wants(t, string(spec), err, broken)
	}
	for _, spec := range []hsm.KeySpec{hsm.ECCNistP256, hsm.ECCNistP384, hsm.ECCNistP521, hsm.ECCSecgP256K1, hsm.SM2} {
		for _, same := range []byte{0, 0xFF} { // below and above what is a private number
			if raw, _, err := GenerateFrom(repeat{same}, spec); err == nil {
				t.Errorf("%s: a source of %#x makes %x", spec, same, raw)
			}
		}
	}
	p, err := drawPrime(source(1), 1024)
	must(t, err)
	if _, _, err := GenerateFrom(repeat(p.FillBytes(make([]byte, 128))), hsm.RSA2048); err == nil {
		t.Error("a source that repeats itself makes an RSA key of one prime")
	}
	for _, spec := range []hsm.KeySpec{hsm.SymmetricDefault, hsm.HMAC256, hsm.MLDSA44, "NO_SUCH_SPEC"} {
		_, _, err := GenerateFrom(source(1), spec)
		wants(t, string(spec), err, hsm.ErrUnsupported)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// repeat reads the same bytes again and again.
type repeat []byte

func (r repeat) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = r[i%len(r)]
	}
	return len(b), nil
}
