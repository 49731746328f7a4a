package kwp_test

import (
	"bytes"
	"crypto/aes"
	"errors"
	"testing"

	"github.com/cofre-kms/cofre/hsm/hsmtest/vectors"
	"github.com/cofre-kms/cofre/hsm/kwp"
)

// TestPublished has Wycheproof's vectors of KWP and those of CAVP. Wrapping is
// deterministic.
func TestPublished(t *testing.T) {
	for _, file := range []string{"wycheproof_aes_kwp", "nist_kwp_256"} {
		for _, g := range vectors.Load(t, file) {
			for _, v := range g.Tests {
				kek, err := aes.NewCipher(v.Key)
				if err != nil {
					t.Fatal(err)
				}
				key, err := kwp.Unwrap(kek, v.Ciphertext)
				if v.Result != vectors.Valid {
					if !errors.Is(err, kwp.ErrInvalid) {
						t.Errorf("%s, %s: %x, %v; want a refusal", file, &v, key, err)
					}
					continue
				}
				if err != nil || !bytes.Equal(key, v.Message) {
					t.Errorf("%s, %s: unwrapped %x, %v", file, &v, key, err)
				}
				if wrapped, err := kwp.Wrap(kek, v.Message); err != nil || !bytes.Equal(wrapped, v.Ciphertext) {
					t.Errorf("%s, %s: wrapped %x, %v", file, &v, wrapped, err)
				}
			}
		}
	}
}
