//go:build cgo && unix

package pkcs11_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
	"github.com/cofre-kms/cofre/hsm/pkcs11"
)

// TestResidentKeys: keys of the token's own seal and open through any partition of it,
// and nowhere else.
func TestResidentKeys(t *testing.T) {
	uri, pin := hsmtest.NewToken(t, "resident")
	a, b := openToken(t, uri, pin), openToken(t, uri, pin)
	for range 2 {
		if err := a.MakeResident(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.MakeResident(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	plaintext, aad := bytes.Repeat([]byte("p"), 4096), []byte("aad")
	sealed, err := a.SealResident(t.Context(), "one", plaintext, aad)
	if err != nil || len(sealed) != 12+4096+16 {
		t.Fatal(len(sealed), err)
	}
	opened, err := b.OpenResident(t.Context(), "one", sealed, aad)
	if err != nil || !bytes.Equal(opened, plaintext) {
		t.Fatal("another plaintext", err)
	}
	for name, try := range map[string]func() error{
		"another key": func() error { _, err := b.OpenResident(t.Context(), "two", sealed, aad); return err },
		"another aad": func() error { _, err := b.OpenResident(t.Context(), "one", sealed, nil); return err },
		"too short":   func() error { _, err := b.OpenResident(t.Context(), "one", sealed[:20], aad); return err },
		"a changed byte": func() error {
			changed := bytes.Clone(sealed)
			changed[40] ^= 1
			_, err := b.OpenResident(t.Context(), "one", changed, aad)
			return err
		},
	} {
		if err := try(); !errors.Is(err, hsm.ErrInvalidCiphertext) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.SealResident(t.Context(), "none", plaintext, aad); !errors.Is(err, pkcs11.ErrNoResident) {
		t.Errorf("a key that there is not: %v", err)
	}
	if _, err := a.OpenResident(t.Context(), "none", sealed, aad); !errors.Is(err, pkcs11.ErrNoResident) {
		t.Errorf("a key that there is not: %v", err)
	}
}
