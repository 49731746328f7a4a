package algorithm

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// pair is a key with its encodings.
type pair struct {
	*Key
	raw, public []byte
}

func newKey(t *testing.T, spec hsm.KeySpec) pair {
	t.Helper()
	raw, public, err := Generate(spec)
	must(t, err)
	key, err := Parse(spec, raw)
	must(t, err)
	return pair{key, raw, public}
}

// TestSpecs tests each spec with two keys.
func TestSpecs(t *testing.T) {
	for _, spec := range Specs() {
		t.Run(string(spec), func(t *testing.T) {
			key, stranger := newKey(t, spec), newKey(t, spec)
			testEncodings(t, key, stranger)
			testSign(t, key, stranger)
			testOpen(t, key)
			testMAC(t, key)
			testAgree(t, key, stranger)
			testDecapsulate(t, key)
		})
	}
	_, _, err := Generate("NO_SUCH_SPEC")
	wants(t, "an unknown spec", err, hsm.ErrUnsupported)
	_, err = Parse("NO_SUCH_SPEC", nil)
	wants(t, "an unknown spec", err, hsm.ErrUnsupported)
	wants(t, "an unknown spec", CheckPublic("NO_SUCH_SPEC", nil), hsm.ErrUnsupported)
}

func testEncodings(t *testing.T, key, stranger pair) {
	t.Helper()
	raw, public := key.raw, key.public
	if again, err := key.Public(); err != nil || !bytes.Equal(again, public) {
		t.Errorf("the public key is %x, %v", again, err)
	}
	imported, sameToo, _, err := Import(key.Spec(), raw)
	if err != nil || !bytes.Equal(imported, raw) || !bytes.Equal(sameToo, public) {
		t.Errorf("imported, the key changed: %v", err)
	}
	if (SecretSize(key.Spec()) > 0) != (public == nil) {
		t.Errorf("the public key has %d bytes", len(public))
	}
	if public != nil {
		must(t, CheckPublic(key.Spec(), public))
	}
	testPadding(t, key)
	if bytes.Equal(raw, stranger.raw) {
		t.Error("two keys are one")
	}
	for _, bad := range [][]byte{nil, raw[:len(raw)-1], append(bytes.Clone(raw), 1), append(bytes.Clone(raw), make([]byte, 8)...)} {
		_, err := Parse(key.Spec(), bad)
		wants(t, "bad material", err, hsm.ErrInvalidKey)
	}
	for _, other := range Specs() {
		if other == key.Spec() || SecretSize(other) == len(raw) {
			continue
		}
		_, err := Parse(other, raw)
		wants(t, "material as "+string(other), err, hsm.ErrInvalidKey)
		if err := CheckPublic(other, public); !errors.Is(err, hsm.ErrInvalidKey) && !errors.Is(err, hsm.ErrUnsupported) {
			t.Errorf("the public key as %s: %v", other, err)
		}
	}
}

// testPadding: tokens wrap keys with zeros behind. Nobody imports such keys.
func testPadding(t *testing.T, key pair) {
	t.Helper()
	padded := append(bytes.Clone(key.raw), make([]byte, 7)...)
	same, err := Parse(key.Spec(), padded)
	must(t, err)
	if raw, _, err := encode(same); err != nil || !bytes.Equal(raw, key.raw) {
		t.Errorf("with zeros behind, the key is %x, %v", raw, err)
	}
	_, _, _, err = Import(key.Spec(), padded)
	wants(t, "a key with zeros behind", err, hsm.ErrInvalidKey)
}

func testSign(t *testing.T, key, stranger pair) {
	t.Helper()
	public := key.public
	for _, alg := range SigningAlgorithms(key.Spec()) {
		testSignature(t, key, stranger, alg)
	}
	for _, alg := range []hsm.SigningAlgorithm{hsm.RSAPSSSHA256, hsm.ECDSASHA256, hsm.ECDSASHA512, hsm.SM2DSA, "NONE"} {
		if Signs(key.Spec(), alg) {
			continue
		}
		_, err := key.Sign(alg, make([]byte, DigestSize(alg)))
		wants(t, string(alg), err, hsm.ErrUnsupported)
		wants(t, string(alg), Verify(public, key.Spec(), alg, make([]byte, DigestSize(alg)), nil), hsm.ErrUnsupported)
	}
}

func testSignature(t *testing.T, key, stranger pair, alg hsm.SigningAlgorithm) {
	t.Helper()
	public := key.public
	digest, err := Digest(public, key.Spec(), alg, []byte("message"))
	must(t, err)
	other, err := Digest(public, key.Spec(), alg, []byte("another message"))
	must(t, err)
	signature, err := key.Sign(alg, digest)
	must(t, err)
	if err := Verify(public, key.Spec(), alg, digest, signature); err != nil {
		t.Fatalf("%s: %v", alg, err)
	}
	wants(t, "another message", Verify(public, key.Spec(), alg, other, signature), ErrInvalidSignature)
	for _, at := range []int{0, len(signature) / 2, len(signature) - 1} {
		bad := bytes.Clone(signature)
		bad[at] ^= 1
		wants(t, "a bit of the signature", Verify(public, key.Spec(), alg, digest, bad), ErrInvalidSignature)
	}
	for _, bad := range [][]byte{nil, {0}, signature[1:], append(bytes.Clone(signature), 0)} {
		wants(t, "a cut signature", Verify(public, key.Spec(), alg, digest, bad), ErrInvalidSignature)
	}
	wants(t, "another key", Verify(stranger.public, key.Spec(), alg, digest, signature), ErrInvalidSignature)
	if n := DigestSize(alg); n > 0 {
		for _, bad := range [][]byte{nil, digest[1:], append(bytes.Clone(digest), 0)} {
			_, err := key.Sign(alg, bad)
			wants(t, "another length", err, hsm.ErrUnsupported)
			wants(t, "another length", Verify(public, key.Spec(), alg, bad, signature), hsm.ErrUnsupported)
		}
	}
}

func testOpen(t *testing.T, key pair) {
	t.Helper()
	public := key.public
	for _, alg := range []hsm.EncryptionAlgorithm{hsm.RSAOAEPSHA1, hsm.RSAOAEPSHA256, hsm.SM2PKE, "NONE"} {
		longest := MaxPlaintext(key.Spec(), alg)
		if longest == 0 {
			_, err := Encrypt(public, key.Spec(), alg, []byte("text"))
			if public != nil {
				wants(t, string(alg), err, hsm.ErrUnsupported)
			}
			_, err = key.Open(alg, make([]byte, 256))
			wants(t, string(alg), err, hsm.ErrUnsupported)
			continue
		}
		testCiphertext(t, key, alg, longest)
	}
}

func testCiphertext(t *testing.T, key pair, alg hsm.EncryptionAlgorithm, longest int) {
	t.Helper()
	public := key.public
	for _, size := range []int{1, 16, longest} {
		plaintext := bytes.Repeat([]byte{7}, size)
		ciphertext, err := Encrypt(public, key.Spec(), alg, plaintext)
		must(t, err)
		if got, err := key.Open(alg, ciphertext); err != nil || !bytes.Equal(got, plaintext) {
			t.Errorf("%s opened %x, %v", alg, got, err)
		}
		for _, at := range []int{0, 1, len(ciphertext) / 2, len(ciphertext) - 1} {
			bad := bytes.Clone(ciphertext)
			bad[at] ^= 1
			_, err := key.Open(alg, bad)
			wants(t, "a bit of the ciphertext", err, hsm.ErrInvalidCiphertext)
		}
		for _, bad := range [][]byte{nil, ciphertext[1:], append(bytes.Clone(ciphertext), 0)} {
			_, err := key.Open(alg, bad)
			wants(t, "a cut ciphertext", err, hsm.ErrInvalidCiphertext)
		}
	}
	_, err := Encrypt(public, key.Spec(), alg, make([]byte, longest+1))
	wants(t, "a long plaintext", err, ErrPlaintextSize)
}

// TestOpenBytes: all one-byte plaintexts, often enough that SM2's C2 is zero.
func TestOpenBytes(t *testing.T) {
	key := newKey(t, hsm.SM2)
	zero := 0
	for i := 0; i < 2000 || zero == 0; i++ {
		ciphertext, err := Encrypt(key.public, hsm.SM2, hsm.SM2PKE, []byte{byte(i)})
		must(t, err)
		if ciphertext[len(ciphertext)-1] == 0 {
			zero++
		}
		if got, err := key.Open(hsm.SM2PKE, ciphertext); err != nil || len(got) != 1 || got[0] != byte(i) {
			t.Fatalf("opened %x, %v", got, err)
		}
	}
	_, err := Encrypt(key.public, hsm.SM2, hsm.SM2PKE, nil)
	wants(t, "no plaintext", err, ErrPlaintextSize)
}

func testMAC(t *testing.T, key pair) {
	t.Helper()
	for _, alg := range []hsm.MACAlgorithm{hsm.HMACSHA224, hsm.HMACSHA256, hsm.HMACSHA384, hsm.HMACSHA512, "NONE"} {
		tag, err := key.MAC(alg, []byte("message"))
		if MACAlgorithmOf(key.Spec()) == alg {
			must(t, err)
			if len(tag) != SecretSize(key.Spec()) {
				t.Errorf("the tag has %d bytes", len(tag))
			}
			continue
		}
		wants(t, string(alg), err, hsm.ErrUnsupported)
	}
}

func testAgree(t *testing.T, key, peer pair) {
	t.Helper()
	public := key.public
	other := peer.public
	secret, err := key.Agree(other)
	if !Agrees(key.Spec()) {
		wants(t, "agreeing", err, hsm.ErrUnsupported)
		return
	}
	must(t, err)
	if same, err := peer.Agree(public); err != nil || !bytes.Equal(same, secret) {
		t.Errorf("the peer has %x, %v", same, err)
	}
	for _, spec := range []hsm.KeySpec{hsm.ECCNistP256, hsm.ECCNistP521, hsm.ECCSecgP256K1, hsm.SM2, hsm.RSA2048} {
		if spec != key.Spec() {
			_, err := key.Agree(newKey(t, spec).public)
			wants(t, "a key of "+string(spec), err, hsm.ErrInvalidKey)
		}
	}
	off := bytes.Clone(other)
	off[len(off)-1] ^= 1 // not on the curve
	for _, bad := range [][]byte{nil, other[1:], off} {
		_, err := key.Agree(bad)
		wants(t, "no key", err, hsm.ErrInvalidKey)
	}
}

func testDecapsulate(t *testing.T, key pair) {
	t.Helper()
	public := key.public
	if !Encapsulates(key.Spec()) {
		_, err := key.Decapsulate(make([]byte, 1088))
		wants(t, "decapsulating", err, hsm.ErrUnsupported)
		_, _, err = Encapsulate(public, key.Spec())
		wants(t, "encapsulating", err, hsm.ErrUnsupported)
		return
	}
	secret, ciphertext, err := Encapsulate(public, key.Spec())
	must(t, err)
	if got, err := key.Decapsulate(ciphertext); err != nil || len(got) != 32 || !bytes.Equal(got, secret) {
		t.Errorf("decapsulated %x, %v", got, err)
	}
	ciphertext[3] ^= 1
	one, err := key.Decapsulate(ciphertext)
	must(t, err)
	two, err := key.Decapsulate(ciphertext)
	must(t, err)
	if bytes.Equal(one, secret) || !bytes.Equal(one, two) || len(one) != 32 {
		t.Error("implicit rejection does not answer a secret of its own")
	}
	for _, bad := range [][]byte{nil, ciphertext[1:], append(bytes.Clone(ciphertext), 0)} {
		_, err := key.Decapsulate(bad)
		wants(t, "another length", err, hsm.ErrInvalidCiphertext)
	}
}
