package pkcs11

import (
	"bytes"
	"crypto/aes"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/hsm/kwp"
)

// envelop encrypts material to a wrapping key; it answers nil for what does not
// fit.
func envelop(t *testing.T, wrapping hsm.WrappedKey, alg hsm.WrappingAlgorithm, material []byte) []byte {
	t.Helper()
	encryption := map[hsm.WrappingAlgorithm]hsm.EncryptionAlgorithm{
		hsm.WrapOAEPSHA1: hsm.RSAOAEPSHA1, hsm.WrapAESSHA1: hsm.RSAOAEPSHA1,
		hsm.WrapOAEPSHA256: hsm.RSAOAEPSHA256, hsm.WrapAESSHA256: hsm.RSAOAEPSHA256, hsm.WrapSM2PKE: hsm.SM2PKE,
	}[alg]
	if alg != hsm.WrapAESSHA1 && alg != hsm.WrapAESSHA256 {
		if len(material) > algorithm.MaxPlaintext(wrapping.Spec, encryption) {
			return nil
		}
		out, err := algorithm.Encrypt(wrapping.Public, wrapping.Spec, encryption, material)
		must(t, err)
		return out
	}
	kek := random(32)
	head, err := algorithm.Encrypt(wrapping.Public, wrapping.Spec, encryption, kek)
	must(t, err)
	block, err := aes.NewCipher(kek)
	must(t, err)
	rest, err := kwp.Wrap(block, material)
	must(t, err)
	return append(head, rest...)
}

func wrappingAlgorithms(spec hsm.KeySpec) []hsm.WrappingAlgorithm {
	if spec == hsm.SM2 {
		return []hsm.WrappingAlgorithm{hsm.WrapSM2PKE}
	}
	return []hsm.WrappingAlgorithm{hsm.WrapOAEPSHA1, hsm.WrapOAEPSHA256, hsm.WrapAESSHA1, hsm.WrapAESSHA256}
}

// importAll imports material of each spec in each envelope.
func importAll(t *testing.T, p *Partition) {
	t.Helper()
	epoch := p.world.Load().epoch
	others := make(map[hsm.KeySpec][]byte)
	for _, spec := range []hsm.KeySpec{hsm.ECCNistP256, hsm.ECCNistP521, hsm.ECCSecgP256K1, hsm.RSA2048} {
		var err error
		others[spec], _, err = algorithm.Generate(spec)
		must(t, err)
	}
	for _, by := range []hsm.KeySpec{hsm.RSA2048, hsm.SM2} {
		if !p.Info().Can(by) {
			continue
		}
		wrapping, err := p.GenerateKey(t.Context(), 1, by)
		must(t, err)
		for _, spec := range p.Info().Specs {
			raw, public, err := algorithm.Generate(spec)
			must(t, err)
			for _, alg := range wrappingAlgorithms(by) {
				in := hsm.Import{Wrapping: wrapping, Algorithm: alg, Material: envelop(t, wrapping, alg, raw)}
				if in.Material == nil {
					continue
				}
				t.Run(string(spec)+" "+string(alg), func(t *testing.T) {
					importOne(t, p, in, spec, raw, public)
					refuseImports(t, p, in, spec, raw, others)
				})
			}
		}
	}
	must(t, p.Check(t.Context()))
	if now := p.world.Load().epoch; now != epoch {
		t.Errorf("the token was connected anew %d times", now-epoch)
	}
}

func importOne(t *testing.T, p *Partition, in hsm.Import, spec hsm.KeySpec, raw, public []byte) {
	k, err := algorithm.Parse(spec, raw)
	must(t, err)
	want, err := k.Fingerprint()
	must(t, err)
	key, print, err := p.ImportKey(t.Context(), 1, spec, in)
	must(t, err)
	if print != want || !bytes.Equal(key.Public, public) || key.Spec != spec || key.Generation != 1 {
		t.Errorf("imported %s %x with fingerprint %x, want %x", key.Spec, key.Public, print, want)
	}
	use(t, p, key)
	if mac := algorithm.MACAlgorithmOf(spec); mac != "" {
		want, err := k.MAC(mac, []byte("message"))
		must(t, err)
		if got, err := p.MAC(t.Context(), key, mac, []byte("message")); err != nil || !bytes.Equal(got, want) {
			t.Errorf("MAC is %x, %v, want %x", got, err, want)
		}
	}
}

// refuseImports: what does not open, and what opens and is something else.
func refuseImports(t *testing.T, p *Partition, in hsm.Import, spec hsm.KeySpec, raw []byte, others map[hsm.KeySpec][]byte) {
	t.Helper()
	refuse := func(what string, material []byte, want error) {
		t.Helper()
		if material == nil {
			return
		}
		wrong := in
		wrong.Material = material
		_, _, err := p.ImportKey(t.Context(), 1, spec, wrong)
		wants(t, what, err, want)
	}
	flip := func(at int) []byte { b := bytes.Clone(in.Material); b[at] ^= 1; return b }
	refuse("changed at its beginning", flip(20), hsm.ErrInvalidCiphertext)
	refuse("changed at its end", flip(len(in.Material)-1), hsm.ErrInvalidCiphertext)
	refuse("cut", in.Material[:len(in.Material)-8], hsm.ErrInvalidCiphertext)
	refuse("very short", in.Material[:1], hsm.ErrInvalidCiphertext)
	refuse("empty", []byte{}, hsm.ErrInvalidCiphertext)
	seal := func(material []byte) []byte { return envelop(t, in.Wrapping, in.Algorithm, material) }
	refuse("material that is short by many", seal(raw[:len(raw)-9]), hsm.ErrInvalidKey)
	if algorithm.SecretSize(spec) > 0 {
		refuse("material that is short by one", seal(raw[:len(raw)-1]), hsm.ErrInvalidKey)
		refuse("material that is long by one", seal(append(bytes.Clone(raw), 0)), hsm.ErrInvalidKey)
		refuse("material that is long by many", seal(append(bytes.Clone(raw), raw...)), hsm.ErrInvalidKey)
		return
	}
	refuse("a secret", seal(random(32)), hsm.ErrInvalidKey)
	for other, material := range others {
		if other != spec {
			refuse(string(other), seal(material), hsm.ErrInvalidKey)
		}
	}
}

// TestFakeImport imports everything into a token, with all that it lacks done in
// memory.
func TestFakeImport(t *testing.T) {
	for name, vague := range map[string]bool{"as SoftHSM": true, "precise": false} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, "one")
			f.vague = vague
			p := openAssisted(t, f)
			importAll(t, p)
		})
	}
}

func openAssisted(t *testing.T, f *fake) *Partition {
	t.Helper()
	cfg := fakeConfig("one")
	cfg.SoftwareAssisted = algorithm.Specs()
	p := openFake(t, f.process(), cfg)
	must(t, p.CreateDomain(t.Context(), 1))
	return p
}
