package hsmtest

import (
	"bytes"
	"crypto/aes"
	"crypto/rand"
	"slices"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/hsm/kwp"
)

// Wrap encrypts material to a wrapping key of a spec, as a client does who
// imports it.
func Wrap(t testing.TB, public []byte, spec hsm.KeySpec, alg hsm.WrappingAlgorithm, material []byte) []byte {
	t.Helper()
	encrypt := func(alg hsm.EncryptionAlgorithm, plaintext []byte) []byte {
		out, err := algorithm.Encrypt(public, spec, alg, plaintext)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	oaep := hsm.RSAOAEPSHA256
	switch alg {
	case hsm.WrapSM2PKE:
		return encrypt(hsm.SM2PKE, material)
	case hsm.WrapOAEPSHA1:
		return encrypt(hsm.RSAOAEPSHA1, material)
	case hsm.WrapOAEPSHA256:
		return encrypt(oaep, material)
	case hsm.WrapAESSHA1:
		oaep = hsm.RSAOAEPSHA1
	}
	kek := make([]byte, 32)
	_, _ = rand.Read(kek) // never fails
	block, err := aes.NewCipher(kek)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := kwp.Wrap(block, material)
	if err != nil {
		t.Fatal(err)
	}
	return append(encrypt(oaep, kek), wrapped...)
}

// wrappings lists what goes with a wrapping key of a spec.
func wrappings(spec hsm.KeySpec) []hsm.WrappingAlgorithm {
	if spec == hsm.SM2 {
		return []hsm.WrappingAlgorithm{hsm.WrapSM2PKE}
	}
	return []hsm.WrappingAlgorithm{hsm.WrapOAEPSHA1, hsm.WrapOAEPSHA256, hsm.WrapAESSHA1, hsm.WrapAESSHA256}
}

// Imports tests that material of all specs that p lists comes in under generation
// g, by every wrapping key and algorithm.
func Imports(t *testing.T, p User, g hsm.Generation) {
	for _, wrapping := range []hsm.KeySpec{hsm.RSA2048, hsm.RSA3072, hsm.RSA4096, hsm.SM2} {
		if !p.Info().Can(wrapping) {
			continue
		}
		by, err := p.GenerateKey(t.Context(), g, wrapping)
		must(t, err)
		i := importer{t, p, g, by}
		t.Run("by "+string(wrapping), func(t *testing.T) {
			i.t = t
			if wrapping == hsm.RSA2048 || wrapping == hsm.SM2 {
				i.allSpecs()
			} else {
				i.comesIn(hsm.SymmetricDefault) // the rest is as with RSA_2048
			}
			i.refusals()
		})
	}
}

// importer imports by one wrapping key.
type importer struct {
	t  *testing.T
	p  User
	g  hsm.Generation
	by hsm.WrappedKey
}

func (i importer) allSpecs() {
	for _, spec := range algorithm.Specs() {
		if i.p.Info().Can(spec) {
			i.comesIn(spec)
		}
	}
}

// comesIn imports one material by each algorithm that takes one so long.
func (i importer) comesIn(spec hsm.KeySpec) {
	i.t.Helper()
	raw, public, err := algorithm.Generate(spec)
	must(i.t, err)
	k, err := algorithm.Parse(spec, raw)
	must(i.t, err)
	want, err := k.Fingerprint()
	must(i.t, err)
	for _, alg := range wrappings(i.by.Spec) {
		if n := algorithm.MaxPlaintext(i.by.Spec, hsm.EncryptionAlgorithm(alg)); n > 0 && len(raw) > n {
			continue
		}
		key, fingerprint, err := i.take(spec, alg, raw)
		if err != nil {
			i.t.Errorf("%s by %s: %v", spec, alg, err)
			continue
		}
		checkKey(i.t, key, i.g, spec)
		if fingerprint != want || !bytes.Equal(key.Public, public) {
			i.t.Errorf("%s by %s has the fingerprint %x, want %x, and the public key %x", spec, alg, fingerprint, want, key.Public)
		}
		i.is(key, k)
	}
}

// is checks that a key is the one that was sent.
func (i importer) is(key hsm.WrappedKey, k *algorithm.Key) {
	i.t.Helper()
	if alg := algorithm.MACAlgorithmOf(key.Spec); alg != "" {
		want, err := k.MAC(alg, message)
		must(i.t, err)
		if got, err := i.p.MAC(i.t.Context(), key, alg, message); err != nil || !bytes.Equal(got, want) {
			i.t.Errorf("%s answers %x, %v, want %x", alg, got, err, want)
		}
	}
	useKey(i.t, i.p, key)
}

func (i importer) take(spec hsm.KeySpec, alg hsm.WrappingAlgorithm, material []byte) (hsm.WrappedKey, hsm.Fingerprint, error) {
	i.t.Helper()
	return i.p.ImportKey(i.t.Context(), i.g, spec, hsm.Import{
		Wrapping: i.by, Algorithm: alg, Material: Wrap(i.t, i.by.Public, i.by.Spec, alg, material),
	})
}

// refusals imports what must not come in.
func (i importer) refusals() {
	ctx := i.t.Context()
	secret := bytes.Repeat([]byte{7}, 32)
	for _, alg := range wrappings(i.by.Spec) {
		for what, material := range i.wrongMaterials() {
			if n := algorithm.MaxPlaintext(i.by.Spec, hsm.EncryptionAlgorithm(alg)); n > 0 && len(material) > n {
				continue
			}
			for _, spec := range []hsm.KeySpec{hsm.SymmetricDefault, hsm.ECCNistP256, hsm.RSA2048} {
				if i.p.Info().Can(spec) {
					_, _, err := i.take(spec, alg, material)
					wants(i.t, what+" as "+string(spec)+" by "+string(alg), err, hsm.ErrInvalidKey)
				}
			}
		}
		good := Wrap(i.t, i.by.Public, i.by.Spec, alg, secret)
		for what, bad := range map[string][]byte{
			"nothing": nil, "a byte less": good[:len(good)-1], "a byte more": append(bytes.Clone(good), 0),
			"a bit changed": flipped(good, 9), "the last bit changed": flipped(good, len(good)-1),
		} {
			_, _, err := i.p.ImportKey(ctx, i.g, hsm.SymmetricDefault, hsm.Import{Wrapping: i.by, Algorithm: alg, Material: bad})
			wants(i.t, what+" by "+string(alg), err, hsm.ErrInvalidCiphertext)
		}
	}
	i.refusesAlgorithms(secret)
}

// wrongMaterials are of no spec that refusals imports them as.
func (i importer) wrongMaterials() map[string][]byte {
	p384, _, err := algorithm.Generate(hsm.ECCNistP384)
	must(i.t, err)
	return map[string][]byte{
		"16 bytes": make([]byte, 16), "33 bytes": make([]byte, 33), "noise": bytes.Repeat([]byte{0x30}, 64), "a P-384 key": p384,
	}
}

func (i importer) refusesAlgorithms(secret []byte) {
	ctx := i.t.Context()
	for _, alg := range []hsm.WrappingAlgorithm{hsm.WrapOAEPSHA256, hsm.WrapAESSHA1, hsm.WrapSM2PKE, "RSAES_PKCS1_V1_5", ""} {
		if !slices.Contains(wrappings(i.by.Spec), alg) {
			_, _, err := i.p.ImportKey(ctx, i.g, hsm.SymmetricDefault, hsm.Import{Wrapping: i.by, Algorithm: alg, Material: make([]byte, 300)})
			wants(i.t, "wrapping by "+string(alg), err, hsm.ErrUnsupported)
		}
	}
	_, _, err := i.take("NO_SUCH_SPEC", wrappings(i.by.Spec)[0], secret)
	wants(i.t, "an unknown spec", err, hsm.ErrUnsupported)
	other, err := i.p.GenerateKey(ctx, i.g, hsm.SymmetricDefault)
	must(i.t, err)
	_, _, err = i.p.ImportKey(ctx, i.g, hsm.SymmetricDefault, hsm.Import{Wrapping: other, Algorithm: wrappings(i.by.Spec)[0], Material: make([]byte, 300)})
	wants(i.t, "a secret key as the wrapping key", err, hsm.ErrUnsupported)
	broken := i.by
	broken.Wrapped = flipped(broken.Wrapped, 9)
	_, _, err = i.p.ImportKey(ctx, i.g, hsm.SymmetricDefault, hsm.Import{
		Wrapping: broken, Algorithm: wrappings(i.by.Spec)[0], Material: Wrap(i.t, i.by.Public, i.by.Spec, wrappings(i.by.Spec)[0], secret),
	})
	wants(i.t, "a wrapping key that does not unwrap", err, hsm.ErrInvalidKey)
}

func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}
