package algorithm

import (
	"bytes"
	"strings"
	"testing"

	"filippo.io/mldsa"
	kems "github.com/cloudflare/circl/kem/schemes"
	schemes "github.com/cloudflare/circl/sign/schemes"
	"github.com/emmansun/gmsm/mlkem"

	"github.com/cofre-kms/cofre/hsm"
)

// TestMuIsTheLibrarys: signatures over mu are signatures of the message, for the
// library, and the other way round, for many messages.
func TestMuIsTheLibrarys(t *testing.T) {
	for _, spec := range []hsm.KeySpec{hsm.MLDSA44, hsm.MLDSA65, hsm.MLDSA87} {
		k := newKey(t, spec)
		private := k.material.(*mldsaKey).private
		for i := range 40 { // hints, and what is rejected, come by chance
			message := bytes.Repeat([]byte{byte(i)}, i)
			mu, err := Mu(k.public, message)
			must(t, err)
			ours, err := k.Sign(hsm.MLDSAShake256, mu)
			must(t, err)
			if err := mldsa.Verify(private.PublicKey(), message, ours, nil); err != nil {
				t.Fatalf("%s: the library says %v", spec, err)
			}
			theirs, err := private.SignDeterministic(message, nil)
			must(t, err)
			if err := Verify(k.public, spec, hsm.MLDSAShake256, mu, theirs); err != nil {
				t.Fatalf("%s: the library's signature: %v", spec, err)
			}
		}
	}
	_, err := Mu([]byte("no key"), nil)
	wants(t, "no key", err, hsm.ErrInvalidKey)
}

// TestMLDSAHints: a signature has one encoding of its hints (FIPS 204 Algorithm
// 21), and each other is refused although it would say the same.
func TestMLDSAHints(t *testing.T) {
	for _, spec := range []hsm.KeySpec{hsm.MLDSA44, hsm.MLDSA65, hsm.MLDSA87} {
		k := newKey(t, spec)
		set := parametersOf(spec)
		mu := make([]byte, MuSize)
		signature, err := k.Sign(hsm.MLDSAShake256, mu)
		must(t, err)
		must(t, Verify(k.public, spec, hsm.MLDSAShake256, mu, signature))
		at := len(signature) - set.omega - set.k
		refused := func(what string, change func(hints []byte)) {
			t.Helper()
			bad := bytes.Clone(signature)
			change(bad[at:])
			if bytes.Equal(bad, signature) {
				return // there is nothing to change in this signature
			}
			wants(t, string(spec)+": "+what, Verify(k.public, spec, hsm.MLDSAShake256, mu, bad), ErrInvalidSignature)
		}
		refused("hints out of order", func(h []byte) {
			if h[set.omega] >= 2 {
				h[0], h[1] = h[1], h[0]
			}
		})
		refused("a hint twice", func(h []byte) { h[1] = h[0] })
		refused("a count beyond ω", func(h []byte) { h[set.omega+set.k-1] = byte(set.omega + 1) })
		refused("a count that falls", func(h []byte) { h[set.omega+1] = 0; h[set.omega] = 1 })
		refused("padding", func(h []byte) {
			if int(h[set.omega+set.k-1]) < set.omega {
				h[set.omega-1] = 7
			}
		})
	}
}

// TestMLKEM512 compares the two libraries.
func TestMLKEM512(t *testing.T) {
	k := newKey(t, hsm.MLKEM512)
	other, err := mlkem.NewDecapsulationKeyFromSeed512(k.material.(*mlkemKey).seed)
	must(t, err)
	if !bytes.HasSuffix(k.public, other.EncapsulationKey().Bytes()) {
		t.Error("the libraries make different keys of a seed")
	}
	secret, ciphertext, err := Encapsulate(k.public, hsm.MLKEM512)
	must(t, err)
	if got, err := other.Decapsulate(ciphertext); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("the other library decapsulates %x, %v", got, err)
	}
	ciphertext[0] ^= 1 // implicit rejection is defined, too (FIPS 203 §6.3)
	theirs, err := other.Decapsulate(ciphertext)
	must(t, err)
	if ours, err := k.Decapsulate(ciphertext); err != nil || !bytes.Equal(ours, theirs) {
		t.Errorf("rejected as %x, %v, by the other library as %x", ours, err, theirs)
	}
}

// TestCircl: of the same seeds, circl signs what we verify and encapsulates what
// we decapsulate, and the other way round.
func TestCircl(t *testing.T) {
	for _, spec := range []hsm.KeySpec{hsm.MLDSA44, hsm.MLDSA65, hsm.MLDSA87} {
		k := newKey(t, spec)
		scheme := schemes.ByName(strings.ReplaceAll(string(spec), "_", "-"))
		public, private := scheme.DeriveKey(k.material.(*mldsaKey).private.Bytes())
		for i := range 8 {
			message := bytes.Repeat([]byte{byte(i)}, 100*i)
			mu, err := Mu(k.public, message)
			must(t, err)
			ours, err := k.Sign(hsm.MLDSAShake256, mu)
			must(t, err)
			if !scheme.Verify(public, message, ours, nil) {
				t.Errorf("%s: circl does not verify %x", spec, ours)
			}
			if err := Verify(k.public, spec, hsm.MLDSAShake256, mu, scheme.Sign(private, message, nil)); err != nil {
				t.Errorf("%s: circl's signature: %v", spec, err)
			}
		}
	}
	for _, spec := range []hsm.KeySpec{hsm.MLKEM512, hsm.MLKEM768, hsm.MLKEM1024} {
		k := newKey(t, spec)
		scheme := kems.ByName(strings.ReplaceAll(string(spec), "_", "-"))
		public, private := scheme.DeriveKeyPair(k.material.(*mlkemKey).seed)
		theirs, want, err := scheme.Encapsulate(public)
		must(t, err)
		if got, err := k.Decapsulate(theirs); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: decapsulated %x, %v", spec, got, err)
		}
		secret, ours, err := Encapsulate(k.public, spec)
		must(t, err)
		if got, err := scheme.Decapsulate(private, ours); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%s: circl decapsulates %x, %v", spec, got, err)
		}
		ours[0] ^= 1 // implicit rejection
		rejected, err := scheme.Decapsulate(private, ours)
		must(t, err)
		if got, err := k.Decapsulate(ours); err != nil || !bytes.Equal(got, rejected) {
			t.Errorf("%s: rejected as %x, %v, by circl as %x", spec, got, err, rejected)
		}
	}
}
