package kwp_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/cofre-kms/cofre/hsm/kwp"
)

// The two vectors of RFC 5649 §6.
const rfcKEK = "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8"

var rfcVectors = []struct{ key, wrapped string }{
	{"c37b7e6492584340bed12207808941155068f738", "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"},
	{"466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func kek(t testing.TB) cipher.Block {
	t.Helper()
	b, err := aes.NewCipher(unhex(t, rfcKEK))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRFC5649(t *testing.T) {
	for _, v := range rfcVectors {
		wrapped, err := kwp.Wrap(kek(t), unhex(t, v.key))
		if err != nil || hex.EncodeToString(wrapped) != v.wrapped {
			t.Errorf("wrap %s = %x, %v", v.key, wrapped, err)
		}
		key, err := kwp.Unwrap(kek(t), unhex(t, v.wrapped))
		if err != nil || hex.EncodeToString(key) != v.key {
			t.Errorf("unwrap %s = %x, %v", v.wrapped, key, err)
		}
	}
}

func TestEveryLengthAndEveryFlip(t *testing.T) {
	k := kek(t)
	for n := 1; n <= 64; n++ {
		key := bytes.Repeat([]byte{byte(n)}, n)
		wrapped, err := kwp.Wrap(k, key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := kwp.Unwrap(k, wrapped)
		if err != nil || !bytes.Equal(got, key) {
			t.Fatalf("%d bytes come back as %x, %v", n, got, err)
		}
		for i := range wrapped {
			wrapped[i] ^= 1
			if _, err := kwp.Unwrap(k, wrapped); !errors.Is(err, kwp.ErrInvalid) {
				t.Fatalf("%d bytes with byte %d changed unwrap: %v", n, i, err)
			}
			wrapped[i] ^= 1
		}
	}
}

// TestStructure wraps by hand what Wrap would not: wrong check values, lengths
// and padding that decrypt well.
func TestStructure(t *testing.T) {
	k := kek(t)
	for name, plain := range map[string]string{
		"right":                 "a65959a600000007466f725061736900",
		"another check value":   "a65959a500000007466f725061736900",
		"padding not zero":      "a65959a600000007466f725061736901",
		"length zero":           "a65959a6000000000000000000000000",
		"length beyond the end": "a65959a600000009466f725061736900",
		"length negative":       "a65959a680000007466f725061736900",
		"length very large":     "a65959a6ffffffff466f725061736900",
	} {
		b := unhex(t, plain)
		k.Encrypt(b, b)
		if _, err := kwp.Unwrap(k, b); (err == nil) != (name == "right") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLimits(t *testing.T) {
	for _, n := range []int{0, 1<<16 + 1} {
		if _, err := kwp.Wrap(kek(t), make([]byte, n)); err == nil {
			t.Errorf("%d bytes are wrapped", n)
		}
	}
	for _, n := range []int{0, 8, 15, 17, 1<<16 + 16} {
		if _, err := kwp.Unwrap(kek(t), make([]byte, n)); !errors.Is(err, kwp.ErrInvalid) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func FuzzUnwrap(f *testing.F) {
	for _, v := range rfcVectors {
		f.Add(unhex(f, v.wrapped))
	}
	k := kek(f)
	f.Fuzz(func(t *testing.T, wrapped []byte) {
		key, err := kwp.Unwrap(k, wrapped)
		if err != nil {
			return
		}
		if again, err := kwp.Wrap(k, key); err != nil || !bytes.Equal(again, wrapped) {
			t.Fatalf("%x unwraps but does not wrap again: %x, %v", wrapped, again, err)
		}
	})
}
