package algorithm

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
)

// TestFingerprints: fingerprints are stored, so they are for ever.
func TestFingerprints(t *testing.T) {
	for spec, want := range map[hsm.KeySpec]string{
		hsm.SymmetricDefault: "3460817e6f88c818c2ee192b83e82fc1831bac8121ae78afd7ffb15e275cff8f",
		hsm.HMAC224:          "20a210baa0d64a69e843a773d86ff9a6f6e4c3c254e3d24b7b4e1d41b326480d",
		hsm.HMAC256:          "ee85bd537845f4c04d24f9ad2b5e642597ed1f2b16853607b6c0a41f5269b042",
		hsm.HMAC384:          "0b0d0b5b611d234586573f7d9f49358ee975f7a6d6090de038f9283061d9aac9",
		hsm.HMAC512:          "f6bb57ce5d04c3fd741bf732554c784a316d9a2b415e863b0fddd3fefef39536",
	} {
		k, err := Parse(spec, bytes.Repeat([]byte{1}, SecretSize(spec)))
		must(t, err)
		f, err := k.Fingerprint()
		must(t, err)
		if got := hex.EncodeToString(f[:]); got != want {
			t.Errorf("%s: the fingerprint is %s", spec, got)
		}
	}
	k := ecKey(t, hsm.SM2, oidSM2(), sm2Sample)
	f, err := k.Fingerprint()
	must(t, err)
	if f != Fingerprint(hsm.SM2, publicOf(t, k)) {
		t.Errorf("the fingerprint is %x", f)
	}
	if got := hex.EncodeToString(f[:]); got != "c2851eef36e0f1be1673092835b723c23f34c1153b79402220bb4deab74a49a2" {
		t.Errorf("SM2: the fingerprint is %s", got)
	}
	if Probe(hsm.SM2) != nil || len(Probe(hsm.SymmetricDefault)) != 32 {
		t.Error("the probes are wrong")
	}
}

// TestFingerprintsDiffer: of materials, and of one material in two specs.
func TestFingerprintsDiffer(t *testing.T) {
	seen := make(map[hsm.Fingerprint]string)
	for _, spec := range []hsm.KeySpec{hsm.SymmetricDefault, hsm.HMAC256} {
		for _, b := range []byte{0, 1, 2} {
			k, err := Parse(spec, bytes.Repeat([]byte{b}, 32))
			must(t, err)
			f, err := k.Fingerprint()
			must(t, err)
			if other := seen[f]; other != "" {
				t.Errorf("%s %d has the fingerprint of %s", spec, b, other)
			}
			seen[f] = string(spec)
		}
	}
}
