//go:build cgo && unix

package pkcs11

import (
	"slices"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
)

func openSoftHSM(t *testing.T, assisted ...hsm.KeySpec) *Partition {
	t.Helper()
	uri, pin := hsmtest.NewToken(t, "specs")
	p, err := Open(t.Context(), Config{URI: uri, PIN: pin, Sessions: 4, CacheKeys: 64, SoftwareAssisted: assisted})
	must(t, err)
	t.Cleanup(func() { _ = p.Close() })
	must(t, p.CreateDomain(t.Context(), 1))
	return p
}

// TestSoftHSMSpecs: SoftHSM 2.6.1 has all specs of before 2024, but Ed25519, SM2.
func TestSoftHSMSpecs(t *testing.T) {
	p := openSoftHSM(t)
	want := []hsm.KeySpec{
		hsm.SymmetricDefault, hsm.HMAC224, hsm.HMAC256, hsm.HMAC384, hsm.HMAC512, hsm.RSA2048, hsm.RSA3072, hsm.RSA4096,
		hsm.ECCNistP256, hsm.ECCNistP384, hsm.ECCNistP521, hsm.ECCSecgP256K1,
	}
	if got := p.Info().Specs; !slices.Equal(got, want) {
		t.Errorf("SoftHSM has %v", got)
	}
	useAll(t, p)
}

// TestSoftHSMAssisted: with software_assisted, all specs work.
func TestSoftHSMAssisted(t *testing.T) {
	p := openSoftHSM(t, algorithm.Specs()...)
	if got := len(p.Info().Specs); got != len(algorithm.Specs()) {
		t.Errorf("%d specs", got)
	}
	for _, spec := range p.Info().Assisted {
		t.Run(string(spec), func(t *testing.T) {
			key, err := p.GenerateKey(t.Context(), 1, spec)
			must(t, err)
			use(t, p, key)
		})
	}
	must(t, p.Check(t.Context()))
}

func TestSoftHSMImport(t *testing.T) { importAll(t, openSoftHSM(t, algorithm.Specs()...)) }
