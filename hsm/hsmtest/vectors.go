package hsmtest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // OAEP's hash; hsm.Domain.ExportDomain says why
	"crypto/sha3"
	"encoding/hex"
	"hash"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/kwp"
	"github.com/cofre-kms/cofre/hsm/xaes"
)

func sha1New() hash.Hash { return sha1.New() }

// SealXAES is XAES-256-GCM over the standard library: what partitions are
// measured by, itself checked against the published vectors.
func SealXAES(t testing.TB, key []byte, nonce [hsm.NonceSize]byte, plaintext, aad []byte) []byte {
	t.Helper()
	return deriveXAES(t, key, nonce).Seal(nil, nonce[xaes.PrefixSize:], plaintext, aad)
}

func deriveXAES(t testing.TB, key []byte, nonce [hsm.NonceSize]byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	var l [xaes.BlockSize]byte
	block.Encrypt(l[:], l[:])
	derived := xaes.Input(xaes.Subkey(l), xaes.Prefix(nonce))
	block.Encrypt(derived[:xaes.BlockSize], derived[:xaes.BlockSize])
	block.Encrypt(derived[xaes.BlockSize:], derived[xaes.BlockSize:])
	inner, err := aes.NewCipher(derived[:])
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(inner)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

// Vector is one published XAES-256-GCM computation.
type Vector struct {
	Key            []byte // 32 bytes
	Nonce          [hsm.NonceSize]byte
	Plaintext, AAD []byte
	Sealed         []byte
}

// Vectors are the two of c2sp.org/XAES-256-GCM: MSB₁(L) is 0 in the first and 1
// in the second.
func Vectors() []Vector {
	nonce := [hsm.NonceSize]byte([]byte("ABCDEFGHIJKLMNOPQRSTUVWX"))
	text := []byte("XAES-256-GCM")
	unhex := func(s string) []byte { b, _ := hex.DecodeString(s); return b }
	return []Vector{{
		Key: bytes.Repeat([]byte{1}, 32), Nonce: nonce, Plaintext: text,
		Sealed: unhex("ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
	}, {
		Key: bytes.Repeat([]byte{3}, 32), Nonce: nonce, Plaintext: text, AAD: []byte("c2sp.org/XAES-256-GCM"),
		Sealed: unhex("986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
	}}
}

// The hashes that c2sp.org/XAES-256-GCM gives for its accumulated tests.
const (
	Accumulated10K = "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
	Accumulated1M  = "2163ae1445985a30b60585ee67daa55674df06901b890593e824b8a7c885ab15"
)

// Accumulate is the accumulated randomized test of c2sp.org/XAES-256-GCM: it
// answers the hash of the ciphertexts, and calls visit with each vector.
func Accumulate(t testing.TB, iterations int, visit func(Vector)) string {
	t.Helper()
	random, sum := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = random.Read(b) // never fails
		return b
	}
	vector := func() []byte { return read(int(read(1)[0])) }
	for range iterations {
		v := Vector{Key: read(32), Nonce: [hsm.NonceSize]byte(read(hsm.NonceSize))}
		v.Plaintext = vector()
		v.AAD = vector()
		v.Sealed = SealXAES(t, v.Key, v.Nonce, v.Plaintext, v.AAD)
		_, _ = sum.Write(v.Sealed) // never fails
		visit(v)
	}
	out := make([]byte, 32)
	_, _ = sum.Read(out) // never fails
	return hex.EncodeToString(out)
}

// testVectors gives the partition keys that the test knows, wrapped under its
// own domain key: published ciphertexts must open, and what it seals must be
// what the specification says.
func testVectors(t *testing.T, p hsm.Partition) {
	transport, err := rsa.GenerateKey(rand.Reader, hsm.TransportBits)
	must(t, err)
	domain, err := aes.NewCipher(exportTo(t, p, transport))
	must(t, err)
	check := func(v Vector) {
		wrapped, err := kwp.Wrap(domain, v.Key)
		must(t, err)
		key := hsm.WrappedKey{Generation: generation, Spec: hsm.SymmetricDefault, Wrapped: wrapped}
		sealed := hsm.Sealed{Derivation: hsm.DerivationXAES, Nonce: v.Nonce, Body: v.Sealed}
		if text, err := p.Decrypt(t.Context(), key, sealed, v.AAD); err != nil || !bytes.Equal(text, v.Plaintext) {
			t.Fatalf("a published ciphertext opens as %x, %v", text, err)
		}
	}
	for _, v := range Vectors() {
		check(v)
		wrapped, err := kwp.Wrap(domain, v.Key)
		must(t, err)
		key := hsm.WrappedKey{Generation: generation, Spec: hsm.SymmetricDefault, Wrapped: wrapped}
		sealed, err := p.Encrypt(t.Context(), key, v.Plaintext, v.AAD)
		must(t, err)
		if !bytes.Equal(sealed.Body, SealXAES(t, v.Key, sealed.Nonce, v.Plaintext, v.AAD)) {
			t.Error("the partition seals by another algorithm")
		}
	}
	if got := Accumulate(t, 10_000, check); got != Accumulated10K {
		t.Errorf("the accumulated hash is %s", got)
	}
}
