package hsm

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// TestFingerprint holds what is stored beside imported material: a change would
// make old material look like another.
func TestFingerprint(t *testing.T) {
	if got := FingerprintMAC(SymmetricDefault); got != HMACSHA256 {
		t.Fatalf("a SYMMETRIC_DEFAULT key makes its evidence with %q", got)
	}
	mac := hmac.New(sha256.New, make([]byte, 32))
	mac.Write([]byte("cofre material fingerprint 1\x00SYMMETRIC_DEFAULT\x00"))
	got := NewFingerprint(SymmetricDefault, mac.Sum(nil))
	const want = "35ad910c26502051c3881de91a6ba199224198efadcd4700c5c92b29147f9961"
	if hex.EncodeToString(got[:]) != want {
		t.Errorf("the fingerprint of 32 zero bytes is %x", got)
	}
	if got == NewFingerprint(HMAC256, mac.Sum(nil)) {
		t.Error("the spec does not count")
	}
	if mac := FingerprintMAC(RSA2048); mac != "" {
		t.Errorf("RSA_2048 has fingerprints by %s", mac)
	}
}
