package pkcs11

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
)

// envelop is hsmtest.Wrap; it answers nil for what does not fit.
func envelop(t *testing.T, wrapping hsm.WrappedKey, alg hsm.WrappingAlgorithm, material []byte) []byte {
	t.Helper()
	if n := algorithm.MaxPlaintext(wrapping.Spec, hsm.EncryptionAlgorithm(alg)); n > 0 && len(material) > n {
		return nil
	}
	return hsmtest.Wrap(t, wrapping.Public, wrapping.Spec, alg, material)
}

// refuseAll imports material of each spec in each envelope, with something wrong
// with it.
func refuseAll(t *testing.T, p *Partition) {
	t.Helper()
	others := make(map[hsm.KeySpec][]byte)
	for _, spec := range []hsm.KeySpec{hsm.ECCNistP256, hsm.ECCNistP521, hsm.ECCSecgP256K1, hsm.RSA2048} {
		var err error
		others[spec], _, err = algorithm.Generate(spec)
		must(t, err)
	}
	wrapping, err := p.GenerateKey(t.Context(), 1, hsm.RSA2048)
	must(t, err)
	for _, spec := range p.Info().Specs {
		raw, _, err := algorithm.Generate(spec)
		must(t, err)
		for _, alg := range []hsm.WrappingAlgorithm{hsm.WrapOAEPSHA1, hsm.WrapOAEPSHA256, hsm.WrapAESSHA1, hsm.WrapAESSHA256} {
			in := hsm.Import{Wrapping: wrapping, Algorithm: alg, Material: envelop(t, wrapping, alg, raw)}
			if in.Material != nil {
				t.Run(string(spec)+" "+string(alg), func(t *testing.T) { refuseImports(t, p, in, spec, raw, others) })
			}
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

// TestFakeRefusesMaterial: whatever is in an envelope, it is told apart from
// trouble of the token, in the token or in memory.
func TestFakeRefusesMaterial(t *testing.T) {
	for _, vague := range []bool{true, false} {
		t.Run(fmt.Sprintf("vague=%v", vague), func(t *testing.T) {
			f := newFake(t, "one")
			f.vague = vague
			p := openAssisted(t, f)
			steady(t, p, func() { refuseAll(t, p) })
		})
	}
}
