//go:build cgo && unix

package pkcs11

import (
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
)

// TestGarbageOfWrongCiphertexts: whoever sends ciphertexts that do not open
// fills no token with the keys that were derived for them.
func TestGarbageOfWrongCiphertexts(t *testing.T) {
	uri, pin := hsmtest.NewToken(t, "garbage")
	p, err := Open(t.Context(), Config{URI: uri, PIN: pin, Sessions: 2, CacheKeys: 32})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.CreateDomain(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	key, err := p.GenerateKey(t.Context(), 1, hsm.SymmetricDefault)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		s := hsm.Sealed{Derivation: hsm.DerivationXAES, Body: make([]byte, 32)}
		s.Nonce[0], s.Nonce[1] = byte(i), byte(i>>8)
		if _, err := p.Decrypt(t.Context(), key, s, nil); err == nil {
			t.Fatal("opened")
		}
	}
	p.garbage.mu.Lock() // the last call may still be sweeping
	defer p.garbage.mu.Unlock()
	if len(p.garbage.objects) > 64 {
		t.Error("garbage grows")
	}
}
