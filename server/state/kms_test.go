package state_test

import (
	"testing"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/state"
)

// TestSettle computes a key's state from its materials.
func TestSettle(t *testing.T) {
	there := func(until int64) *state.KeyMaterial {
		return &state.KeyMaterial{Wrapped: hsm.WrappedKey{Wrapped: []byte{1}}, ValidTo: until}
	}
	gone := &state.KeyMaterial{}
	pending := &state.KeyMaterial{Wrapped: hsm.WrappedKey{Wrapped: []byte{1}}, ValidTo: 1, Pending: true}
	type materials = []*state.KeyMaterial
	for _, test := range []struct {
		name      string
		before    state.KeyState
		current   string
		materials materials
		after     state.KeyState
		imported  bool
		validTo   int64
	}{
		{"none", state.PendingImport, "", nil, state.PendingImport, false, 0},
		{"the first", state.PendingImport, "a", materials{there(0)}, state.Enabled, true, 0},
		{"the earliest counts", state.Enabled, "a", materials{there(0), there(9), there(7)}, state.Enabled, true, 7},
		{"one is gone", state.Enabled, "a", materials{there(7), gone}, state.PendingImport, false, 0},
		{"one is gone of a disabled key", state.Disabled, "a", materials{gone}, state.PendingImport, false, 0},
		{"one of two is back", state.PendingImport, "a", materials{there(0), gone, gone}, state.PendingImport, false, 0},
		{"nothing changes for a disabled key", state.Disabled, "a", materials{there(0)}, state.Disabled, true, 0},
		{"one is gone before deletion", state.PendingDeletion, "a", materials{gone}, state.PendingDeletion, false, 0},
		{"all is there before deletion", state.PendingDeletion, "a", materials{there(3)}, state.PendingDeletion, true, 3},
		{"one is pending", state.Enabled, "a", materials{there(5), pending}, state.Enabled, true, 5},
	} {
		k := &state.Key{State: test.before, MaterialID: test.current}
		k.Settle(test.materials)
		if k.State != test.after || k.Imported != test.imported || k.ValidTo != test.validTo {
			t.Errorf("%s: %s, imported %v, valid to %d", test.name, k.State, k.Imported, k.ValidTo)
		}
	}
}
