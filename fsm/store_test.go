package fsm_test

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/fsm"
)

func memFS() *vfs.MemFS { return vfs.NewMem() }

func TestReopenFindsTheSameState(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	var leaves []tlog.Hash
	for i := uint64(1); i <= 600; i++ {
		tx := fsm.NewTxn(s)
		key := fsm.NewKey("thing", fmt.Sprint(i%7))
		if _, err := tx.Get(key); err != nil {
			t.Fatal(err)
		}
		tx.Put(key, []byte(fmt.Sprint(i)))
		tx.SetEvent([]byte(fmt.Sprintf("event %d", i)))
		cmd, err := fsm.EncodeBatch(&fsm.Batch{Node: "n1", Incarnation: 1, Sequence: i, Settled: i - 1, Txns: []*fsm.Txn{tx}})
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.Apply([]fsm.Entry{{Index: i, Command: cmd}})
		if err != nil {
			t.Fatal(err)
		}
		if res[0].Err != nil || res[0].Outcomes[0] != fsm.Committed {
			t.Fatalf("entry %d: %+v", i, res[0])
		}
		leaves = append(leaves, tlog.RecordHash([]byte(fmt.Sprintf("event %d", i))))
	}
	before := s.Status()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, fs)
	defer s.Close()
	if after := s.Status(); after != before {
		t.Fatalf("reopened at %+v, closed at %+v", after, before)
	}
	root, err := tlog.TreeHash(600, s)
	if err != nil || root != before.LedgerRoot {
		t.Fatalf("root %v, %v", root, err)
	}
	rec, err := s.Get(fsm.NewKey("thing", "3"))
	if err != nil || rec == nil || string(rec.Value) != "598" || rec.Rev != 598 {
		t.Fatalf("%+v %v", rec, err)
	}
	for i := range int64(600) {
		p, err := tlog.ProveRecord(600, i, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(p, 600, root, i, leaves[i]); err != nil {
			t.Fatal(err)
		}
	}
}
