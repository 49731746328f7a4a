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

// TestSoftHSMSpecs: what SoftHSM 2.6.1 does by itself.
func TestSoftHSMSpecs(t *testing.T) {
	p := openSoftHSM(t)
	want := []hsm.KeySpec{
		hsm.SymmetricDefault, hsm.HMAC224, hsm.HMAC256, hsm.HMAC384, hsm.HMAC512, hsm.RSA2048, hsm.RSA3072, hsm.RSA4096,
		hsm.ECCNistP256, hsm.ECCNistP384, hsm.ECCNistP521, hsm.ECCSecgP256K1,
	}
	if got := p.Info().Specs; !slices.Equal(got, want) {
		t.Errorf("SoftHSM has %v", got)
	}
}

// TestSoftHSMAssisted: with software_assisted all specs work, and nothing that a
// client sends disturbs the token.
func TestSoftHSMAssisted(t *testing.T) {
	p := openSoftHSM(t, algorithm.Specs()...)
	if got := len(p.Info().Specs); got != len(algorithm.Specs()) {
		t.Errorf("%d specs", got)
	}
	steady(t, p, func() {
		hsmtest.Specs(t, p, 1)
		hsmtest.Imports(t, p, 1)
		refuseAll(t, p)
	})
}
