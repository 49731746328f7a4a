package pkcs11

import (
	"slices"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
)

// steady runs fn, in which clients are wrong and the token is not: it stays
// connected, and healthy.
func steady(t *testing.T, p *Partition, fn func()) {
	t.Helper()
	epoch := p.world.Load().epoch
	fn()
	must(t, p.Check(t.Context()))
	if now := p.world.Load().epoch; now != epoch {
		t.Errorf("the token was connected anew %d times", now-epoch)
	}
}

// openAssisted opens the fake's token with all that it lacks done in memory.
func openAssisted(t *testing.T, f *fake) *Partition {
	t.Helper()
	cfg := fakeConfig("one")
	cfg.SoftwareAssisted = algorithm.Specs()
	p := openFake(t, f.process(), cfg)
	must(t, p.CreateDomain(t.Context(), 1))
	return p
}

// TestFakeSpecs: a token that wraps Ed25519 keys makes them, one that does not,
// like SoftHSM, does not; the fake has no secp256k1.
func TestFakeSpecs(t *testing.T) {
	for _, vague := range []bool{true, false} {
		f := newFake(t, "one")
		f.vague = vague
		info := openFake(t, f.process(), fakeConfig("one")).Info()
		if info.Can(hsm.ECCNistEdwards25519) == vague || info.Can(hsm.ECCSecgP256K1) || !info.Can(hsm.ECCNistP521) {
			t.Errorf("a token with vague errors %v can make %v", vague, info.Specs)
		}
	}
}

// TestFakeAssisted: what the token lacks is done in memory where the operator
// says so, and only that.
func TestFakeAssisted(t *testing.T) {
	f := newFake(t, "one")
	p := openAssisted(t, f)
	want := []hsm.KeySpec{
		hsm.ECCSecgP256K1, hsm.ECCNistEdwards25519, hsm.SM2, hsm.MLDSA44, hsm.MLDSA65, hsm.MLDSA87,
		hsm.MLKEM512, hsm.MLKEM768, hsm.MLKEM1024,
	}
	if got := p.Info().Assisted; !slices.Equal(got, want) {
		t.Errorf("assisted are %v", got)
	}
	if got := len(p.Info().Specs); got != len(algorithm.Specs()) {
		t.Errorf("%d specs", got)
	}
	steady(t, p, func() {
		hsmtest.Specs(t, p, 1)
		hsmtest.Imports(t, p, 1)
	})
	drained, _ := p.drain(time.Minute) // the last calls may still be sweeping
	if n, known := f.sessionObjects(), p.objects.Len()+p.waiting(); n != known {
		t.Errorf("%d session objects of which we know %d", n, known)
	}
	for _, sl := range drained {
		p.idle <- sl
	}
}

// TestAssistedNeedsClearKeys: a token that takes no keys in clear cannot keep
// what others make, and says so when it is opened.
func TestAssistedNeedsClearKeys(t *testing.T) {
	f := newFake(t, "one")
	f.arm(failing{function: "C_CreateObject", code: p11.CKR_TEMPLATE_INCONSISTENT, always: true})
	cfg := fakeConfig("one")
	must(t, openFake(t, f.process(), cfg).Close())
	cfg.SoftwareAssisted = []hsm.KeySpec{hsm.MLDSA44}
	_, err := open(t.Context(), cfg, f.process())
	wants(t, "ML_DSA_44 with it", err, hsm.ErrUnsupported)
	f.disarm()
	cfg.SoftwareAssisted = []hsm.KeySpec{"ML_DSA_45"}
	_, err = open(t.Context(), cfg, f.process())
	wants(t, "a spec that is none", err, hsm.ErrUnsupported)
}
