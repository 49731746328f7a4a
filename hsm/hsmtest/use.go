package hsmtest

import (
	"bytes"
	"context"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// User is what uses keys: a partition, or what stands for one.
type User interface {
	hsm.Keys
	Info() hsm.Info
}

var message = []byte("message")

// useKey does all that a key's spec is for, and checks it with the public key.
func useKey(t *testing.T, p User, key hsm.WrappedKey) {
	t.Helper()
	for _, alg := range algorithm.SigningAlgorithms(key.Spec) {
		useSign(t, p, key, alg)
	}
	for _, alg := range algorithm.EncryptionAlgorithms(key.Spec) {
		useOpen(t, p, key, alg)
	}
	if alg := algorithm.MACAlgorithmOf(key.Spec); alg != "" {
		useMAC(t, p, key, alg)
	}
	if algorithm.Agrees(key.Spec) {
		useAgree(t, p, key)
	}
	if algorithm.Encapsulates(key.Spec) {
		useDecapsulate(t, p, key)
	}
	if key.Spec == hsm.SymmetricDefault {
		useEncrypt(t, p, key)
	}
}

func useSign(t *testing.T, p User, key hsm.WrappedKey, alg hsm.SigningAlgorithm) {
	t.Helper()
	ctx := t.Context()
	digest, err := algorithm.Digest(key.Public, key.Spec, alg, message)
	must(t, err)
	signature, err := p.Sign(ctx, key, alg, digest)
	must(t, err)
	if err := algorithm.Verify(key.Public, key.Spec, alg, digest, signature); err != nil {
		t.Errorf("%s by %s: %v", alg, key.Spec, err)
	}
	if algorithm.DigestSize(alg) == 0 {
		return // any message goes
	}
	for _, bad := range [][]byte{nil, digest[1:], append(bytes.Clone(digest), 0)} {
		_, err := p.Sign(ctx, key, alg, bad)
		wants(t, string(alg)+" of another length", err, hsm.ErrUnsupported)
	}
}

func useOpen(t *testing.T, p User, key hsm.WrappedKey, alg hsm.EncryptionAlgorithm) {
	t.Helper()
	ctx := t.Context()
	for _, size := range []int{1, algorithm.MaxPlaintext(key.Spec, alg)} {
		text := bytes.Repeat([]byte{7}, size)
		ciphertext, err := algorithm.Encrypt(key.Public, key.Spec, alg, text)
		must(t, err)
		if got, err := p.Open(ctx, key, alg, ciphertext); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s by %s opened %x, %v", alg, key.Spec, got, err)
		}
		for _, at := range []int{0, len(ciphertext) / 2, len(ciphertext) - 1} {
			bad := bytes.Clone(ciphertext)
			bad[at] ^= 1
			_, err := p.Open(ctx, key, alg, bad)
			wants(t, string(alg)+", a bit changed", err, hsm.ErrInvalidCiphertext)
		}
		for _, bad := range [][]byte{nil, ciphertext[1:], append(bytes.Clone(ciphertext), 0)} {
			_, err := p.Open(ctx, key, alg, bad)
			wants(t, string(alg)+", another length", err, hsm.ErrInvalidCiphertext)
		}
	}
	stranger := bytes.Repeat([]byte{0xFF}, 256) // an integer larger than any modulus
	_, err := p.Open(ctx, key, alg, stranger)
	wants(t, string(alg)+" of noise", err, hsm.ErrInvalidCiphertext)
}

func useMAC(t *testing.T, p User, key hsm.WrappedKey, alg hsm.MACAlgorithm) {
	t.Helper()
	seen := make(map[string]bool)
	for _, text := range [][]byte{nil, message, make([]byte, 4096)} {
		tag, err := p.MAC(t.Context(), key, alg, text)
		must(t, err)
		again, err := p.MAC(t.Context(), key, alg, text)
		must(t, err)
		if len(tag) != algorithm.SecretSize(key.Spec) || !bytes.Equal(tag, again) || seen[string(tag)] {
			t.Errorf("%s: %x, then %x", alg, tag, again)
		}
		seen[string(tag)] = true
	}
}

func useAgree(t *testing.T, p User, key hsm.WrappedKey) {
	t.Helper()
	raw, public, err := algorithm.Generate(key.Spec)
	must(t, err)
	peer, err := algorithm.Parse(key.Spec, raw)
	must(t, err)
	want, err := peer.Agree(key.Public)
	must(t, err)
	if got, err := p.Agree(t.Context(), key, public); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s agreed on %x, %v, want %x", key.Spec, got, err, want)
	}
	off := bytes.Clone(public)
	off[len(off)-1] ^= 1 // not on the curve
	bad := [][]byte{nil, public[1:], off, []byte("no key")}
	for _, spec := range []hsm.KeySpec{hsm.ECCNistP256, hsm.ECCNistP384, hsm.ECCSecgP256K1, hsm.ECCNistEdwards25519, hsm.SM2} {
		if spec != key.Spec {
			_, other, err := algorithm.Generate(spec)
			must(t, err)
			bad = append(bad, other)
		}
	}
	for _, peer := range bad {
		_, err := p.Agree(t.Context(), key, peer)
		wants(t, string(key.Spec)+" with another key", err, hsm.ErrInvalidKey)
	}
}

func useDecapsulate(t *testing.T, p User, key hsm.WrappedKey) {
	t.Helper()
	ctx := t.Context()
	secret, ciphertext, err := algorithm.Encapsulate(key.Public, key.Spec)
	must(t, err)
	if got, err := p.Decapsulate(ctx, key, ciphertext); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("%s decapsulated %x, %v", key.Spec, got, err)
	}
	for _, bad := range [][]byte{nil, ciphertext[1:], append(bytes.Clone(ciphertext), 0)} {
		_, err := p.Decapsulate(ctx, key, bad)
		wants(t, string(key.Spec)+", another length", err, hsm.ErrInvalidCiphertext)
	}
	ciphertext[7] ^= 1 // implicit rejection
	one, err := p.Decapsulate(ctx, key, ciphertext)
	must(t, err)
	two, err := p.Decapsulate(ctx, key, ciphertext)
	must(t, err)
	if !bytes.Equal(one, two) || bytes.Equal(one, secret) || len(one) != len(secret) {
		t.Errorf("%s rejected as %x, then %x", key.Spec, one, two)
	}
}

func useEncrypt(t *testing.T, p User, key hsm.WrappedKey) {
	t.Helper()
	sealed, err := p.Encrypt(t.Context(), key, message, []byte("aad"))
	must(t, err)
	if got, err := p.Decrypt(t.Context(), key, sealed, []byte("aad")); err != nil || !bytes.Equal(got, message) {
		t.Errorf("decrypted %q, %v", got, err)
	}
	sealed.Body = bytes.Clone(sealed.Body)
	sealed.Body[0] ^= 1
	_, err = p.Decrypt(t.Context(), key, sealed, []byte("aad"))
	wants(t, "a bit changed", err, hsm.ErrInvalidCiphertext)
}

// refuseKey does all that a key's spec is not for.
func refuseKey(t *testing.T, p User, key hsm.WrappedKey) {
	t.Helper()
	for what, err := range misuse(t.Context(), p, key) {
		wants(t, what+" with a key of "+string(key.Spec), err, hsm.ErrUnsupported)
	}
}

// misuse answers what came of each operation that does not go with a key.
func misuse(ctx context.Context, p User, key hsm.WrappedKey) map[string]error {
	got := make(map[string]error)
	for _, alg := range []hsm.SigningAlgorithm{
		hsm.RSAPKCS1SHA256, hsm.RSAPSSSHA512, hsm.ECDSASHA256, hsm.ECDSASHA384, hsm.ECDSASHA512, hsm.SM2DSA,
		hsm.MLDSAShake256, hsm.ED25519SHA512, hsm.ED25519PH, "NO_SUCH_ALGORITHM",
	} {
		if !algorithm.Signs(key.Spec, alg) {
			_, got[string(alg)] = p.Sign(ctx, key, alg, make([]byte, algorithm.DigestSize(alg)))
		}
	}
	for _, alg := range []hsm.EncryptionAlgorithm{hsm.RSAOAEPSHA1, hsm.RSAOAEPSHA256, hsm.SM2PKE, "NO_SUCH_ALGORITHM"} {
		if algorithm.MaxPlaintext(key.Spec, alg) == 0 {
			_, got["opening by "+string(alg)] = p.Open(ctx, key, alg, make([]byte, 256))
		}
	}
	for _, alg := range []hsm.MACAlgorithm{hsm.HMACSHA224, hsm.HMACSHA256, hsm.HMACSHA384, hsm.HMACSHA512, "NO_SUCH_ALGORITHM"} {
		if algorithm.MACAlgorithmOf(key.Spec) != alg {
			_, got["authenticating by "+string(alg)] = p.MAC(ctx, key, alg, nil)
		}
	}
	if !algorithm.Agrees(key.Spec) {
		_, got["agreeing"] = p.Agree(ctx, key, key.Public)
	}
	if !algorithm.Encapsulates(key.Spec) {
		_, got["decapsulating"] = p.Decapsulate(ctx, key, make([]byte, 1088))
	}
	if key.Spec != hsm.SymmetricDefault {
		_, got["encrypting"] = p.Encrypt(ctx, key, nil, nil)
	}
	return got
}
