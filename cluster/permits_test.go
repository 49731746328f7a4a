package cluster

import (
	"testing"

	"github.com/cofre-kms/cofre/cluster/pki"
)

// TestPermits: a node that is behind talks to a peer that was admitted since. A
// node that is not talks to no predecessor of a member, nor to one that was
// removed.
func TestPermits(t *testing.T) {
	first := member{Name: "node-3", ID: "00000000000000ff0123456789abcdef"}
	second := member{Name: "node-3", ID: "00000000000000010123456789abcdef"} // by a clock that is behind
	if err := second.succeed(&first); err != nil {
		t.Fatal(err)
	}
	removed := first
	removed.Removed = 1
	for _, test := range []struct {
		name   string
		record *member
		peer   string
		want   bool
	}{
		{"unknown", nil, first.ID, true},
		{"itself", &first, first.ID, true},
		{"removed", &removed, first.ID, false},
		{"successor", &first, second.ID, true},
		{"successor of a removed one", &removed, second.ID, true},
		{"predecessor", &second, first.ID, false},
	} {
		if err := test.record.permits(pki.Identity{Name: "node-3", Member: test.peer}); (err == nil) != test.want {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
