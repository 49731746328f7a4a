package hsmtest

import (
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// Specs tests all key specs that p lists: keys of them, made under generation g,
// do what their spec is for and nothing else. What p does not list, it does not
// make.
func Specs(t *testing.T, p User, g hsm.Generation) {
	for _, spec := range algorithm.Specs() {
		t.Run(string(spec), func(t *testing.T) {
			if !p.Info().Can(spec) {
				_, err := p.GenerateKey(t.Context(), g, spec)
				wants(t, "a spec that is not listed", err, hsm.ErrUnsupported)
				return
			}
			key, err := p.GenerateKey(t.Context(), g, spec)
			must(t, err)
			checkKey(t, key, g, spec)
			useKey(t, p, key)
			refuseKey(t, p, key)
		})
	}
	_, err := p.GenerateKey(t.Context(), g, "NO_SUCH_SPEC")
	wants(t, "an unknown spec", err, hsm.ErrUnsupported)
}

// checkKey looks at what of a key is not secret.
func checkKey(t *testing.T, key hsm.WrappedKey, g hsm.Generation, spec hsm.KeySpec) {
	t.Helper()
	if key.Generation != g || key.Spec != spec || len(key.Wrapped) == 0 {
		t.Fatalf("the key is %+v", key)
	}
	if algorithm.SecretSize(spec) > 0 {
		if key.Public != nil {
			t.Errorf("a secret key has the public key %x", key.Public)
		}
		return
	}
	must(t, algorithm.CheckPublic(spec, key.Public))
}
