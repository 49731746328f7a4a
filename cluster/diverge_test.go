package cluster

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/fsm"
)

// corrupt applies a command to a node's state that no other has: what a broken
// disk, memory or release would do.
func (n *testNode) corrupt() {
	n.f.t.Helper()
	n.f.damaged[n.cfg.Name] = true
	tx := fsm.NewTxn(n.node.store)
	tx.Put(fsm.NewKey("planted"), []byte("here alone"))
	command, err := fsm.EncodeBatch(&fsm.Batch{Node: "nobody", Incarnation: 1, Sequence: 1, Txns: []*fsm.Txn{tx}})
	n.ok(err, "EncodeBatch")
	_, err = n.node.store.Apply([]fsm.Entry{{Index: n.node.store.Applied() + 1, Command: command}})
	n.ok(err, "Apply")
}

// TestDivergence: a replica that differs from the others is found, answers nothing
// more and does not come back; the others go on.
func TestDivergence(t *testing.T) {
	for _, role := range []string{"follower", "leader"} {
		t.Run(role, func(t *testing.T) {
			f := newCluster(t, 3, nil)
			bad := f.follower()
			if role == "leader" {
				bad = f.leader()
			}
			bad.corrupt()
			f.await("the divergence to be found", func() error {
				for _, n := range f.nodes {
					if n != bad {
						_, _ = n.transact(f.ctx(), nil)
						break
					}
				}
				if bad.node.fate.check() == nil {
					return errors.New("not yet")
				}
				return nil
			})
			node := bad.node
			ran := false
			_, err := node.Transact(f.ctx(), "c", func(*fsm.Txn) error { ran = true; return nil })
			if !errors.Is(err, ErrDiverged) || ran {
				t.Errorf("Transact answers %v, ran %t", err, ran)
			}
			if err := node.Ready(); !errors.Is(err, ErrDiverged) {
				t.Errorf("Ready answers %v", err)
			}
			if err := <-node.Failed(); !errors.Is(err, ErrDiverged) {
				t.Errorf("Failed answers %v", err)
			}
			if !node.Status().Diverged {
				t.Error("Status does not say so")
			}
			bad.stop()
			if _, err := Open(f.ctx(), bad.cfg); !errors.Is(err, ErrDiverged) {
				t.Errorf("Open answers %v", err)
			}
			for _, n := range f.running() {
				if _, err := n.transact(f.ctx(), nil); err != nil {
					t.Errorf("%s: %v", n.cfg.Name, err)
				}
			}
		})
	}
}

// TestVerdict: who has diverged, by what the replicas report.
func TestVerdict(t *testing.T) {
	voters := []string{"a", "b", "c"}
	for _, test := range []struct {
		replicas string // name and state, in turn
		want     []string
		certain  bool
	}{
		{"a1b1c1", nil, false},
		{"a1b1", nil, false},
		{"a1", nil, false},
		{"a1b1c2", []string{"c"}, true},
		{"a2b1c1", []string{"a"}, true},
		{"a1b2", []string{"a", "b"}, false},
		{"a1b2c3", []string{"a", "b", "c"}, false},
		{"a1b1d2", []string{"d"}, true},
		{"a1d2", []string{"a", "d"}, false}, // d has no vote
		{"a1b2d2", []string{"a", "b", "d"}, false},
	} {
		replicas := make(map[string]fsm.Status)
		for i := 0; i < len(test.replicas); i += 2 {
			replicas[test.replicas[i:i+1]] = fsm.Status{StateHash: tlog.Hash{test.replicas[i+1]}}
		}
		got := judgeReplicas(voters, replicas)
		if !slices.Equal(got.diverged, test.want) || got.certain != test.certain {
			t.Errorf("%s: %s", test.replicas, fmt.Sprint(got))
		}
	}
}
