package kms

import (
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/internal/config"
	"github.com/cofre-kms/cofre/server/state"
)

// TestEveryOperationHasAQuota: one of its own name, or one that depends on the
// key, and nothing has both.
func TestEveryOperationHasAQuota(t *testing.T) {
	rates := config.Quotas{Requests: config.RequestsAWS}.RequestRates()
	for _, op := range New(Config{}).Operations() {
		if _, own := rates[op.Name]; own == cryptographic(op.Name) {
			t.Errorf("%s: a quota of its own %v, one of its key %v", op.Name, own, cryptographic(op.Name))
		}
	}
	for _, spec := range keySpecType().Enum {
		group := quotaGroup(key{Key: &state.Key{Spec: hsm.KeySpec(spec)}})
		if rates[group] == 0 {
			t.Errorf("keys of the spec %s are in the group %q, which has no rate", spec, group)
		}
	}
	for _, spec := range dataKeyPairSpec().Enum {
		if rates[keyPairGroup(spec)] == 0 {
			t.Errorf("data key pairs of the spec %s have no rate", spec)
		}
	}
}
