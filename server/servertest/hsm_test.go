package servertest

import (
	"errors"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/hsmtest"
)

// TestHSM: what stands for a partition in tests does what partitions do.
func TestHSM(t *testing.T) {
	h := NewHSM(t)
	t.Run("specs", func(t *testing.T) { hsmtest.Specs(t, h, 1) })
	t.Run("import", func(t *testing.T) { hsmtest.Imports(t, h, 1) })
}

func TestHSMFails(t *testing.T) {
	h := NewHSM(t)
	key, err := h.GenerateKey(t.Context(), 1, hsm.HMAC256)
	if err != nil {
		t.Fatal(err)
	}
	failure := errors.New("failure")
	h.Fail = func() error { return failure }
	if _, err := h.MAC(t.Context(), key, hsm.HMACSHA256, nil); !errors.Is(err, failure) {
		t.Errorf("MAC answers %v", err)
	}
	h.Fail, h.Specs = nil, []hsm.KeySpec{hsm.HMAC256}
	if _, err := h.GenerateKey(t.Context(), 1, hsm.HMAC224); !errors.Is(err, hsm.ErrUnsupported) {
		t.Errorf("a spec that is not listed: %v", err)
	}
}
