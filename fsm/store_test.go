package fsm_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/fsm"
)

func TestReopenFindsTheSameState(t *testing.T) {
	const size = 600
	fs := vfs.NewMem()
	s := open(t, fs)
	fill(t, s, size)
	before := s.Status()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, fs)
	defer s.Close()
	if after := s.Status(); after != before {
		t.Fatalf("reopened at %+v, closed at %+v", after, before)
	}
	checkFill(t, s)
	for i := range int64(size) {
		event, err := s.Event(i)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := tlog.ProveRecord(size, i, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(proof, size, before.LedgerRoot, i, tlog.RecordHash(event)); err != nil {
			t.Errorf("record %d: %v", i, err)
		}
	}
	checkPast(t, s, size)
}

// checkPast proves that the ledger of each earlier size is a prefix of it.
func checkPast(t *testing.T, s *fsm.Store, size int64) {
	t.Helper()
	for n := int64(1); n <= size; n++ {
		root, err := tlog.TreeHash(n, s)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := tlog.ProveTree(size, n, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckTree(proof, size, s.Status().LedgerRoot, n, root); err != nil {
			t.Errorf("size %d: %v", n, err)
		}
	}
}

// TestFiles does on the operating system's files what other tests do in memory.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	cfg := fsm.Config{Dir: filepath.Join(dir, "new", "state")}
	s, err := fsm.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, 300)
	if _, err := fsm.Open(cfg); err == nil {
		t.Error("a store was opened twice")
	}
	copied := filepath.Join(dir, "copy")
	status, err := s.Checkpoint(copied)
	if err != nil || status != s.Status() {
		t.Fatalf("checkpoint of %+v: %+v, %v", s.Status(), status, err)
	}
	if _, err := s.Checkpoint(copied); err == nil {
		t.Error("a checkpoint was overwritten")
	}
	fill(t, s, 310)
	var stream bytes.Buffer
	if err := fsm.WriteCheckpoint(vfs.Default, copied, &stream); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(&stream); err != nil || s.Status() != status {
		t.Fatalf("restored %+v of %+v: %v", s.Status(), status, err)
	}
	fill(t, s, 320)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = fsm.Open(cfg); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Applied() != 320 {
		t.Errorf("reopened at %d", s.Applied())
	}
	checkFill(t, s)
}

// TestCheckpointBesideApply: a copy that is made while entries are applied is a
// state that there was, and not an older one than when it was begun.
func TestCheckpointBesideApply(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for index := uint64(1); ; index++ {
			select {
			case <-stop:
				return
			default:
			}
			command, err := fsm.EncodeBatch(&fsm.Batch{Node: "n", Sequence: index, Settled: index - 1, Txns: []*fsm.Txn{put("k", "v")}})
			if err == nil {
				_, err = s.Apply([]fsm.Entry{{Index: index, Command: command}})
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for i := range 20 {
		least := s.Applied()
		status, err := s.Checkpoint(fmt.Sprint("/data/copy-", i))
		if err != nil {
			t.Fatal(err)
		}
		if status.Applied < least {
			t.Errorf("copy of %d, begun at %d", status.Applied, least)
		}
		if was, ok := s.HashAt(status.Applied); ok && was != status {
			t.Errorf("copy of %+v, was %+v", status, was)
		}
	}
	close(stop)
	<-stopped
}

// TestProtocolStands applies a command as the first release wrote it. Replicas of
// all releases must come to these hashes: whoever has to change them needs a new
// kind of command and the cluster's feature level.
func TestProtocolStands(t *testing.T) {
	command, err := hex.DecodeString("0128b52ffd0400550300b40585666e6f64652d31070201838382487400616273656e7400844574" +
		"007075744576616c7565467400676f6e65f6557b226576656e744e616d65223a226669727374227d83820140f683098247740065" +
		"6d707479407468697264227d04005e75df9267255ff10675065f0680f2")
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, vfs.NewMem())
	defer s.Close()
	got := apply(t, s, fsm.Entry{Index: 9, Command: command})[0]
	want := fsm.Result{
		Index: 9, Node: "node-1", Incarnation: 7, Sequence: 2,
		Outcomes: []fsm.Outcome{fsm.Committed, fsm.Conflict, fsm.Committed},
	}
	if !same(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	status := s.Status()
	if status.StateHash.String() != "G/gKo+GkVIXfviLHWCIx5dITNLfTa7YU6quhsKi9yOY=" {
		t.Errorf("state hash %v", status.StateHash)
	}
	if root := naiveRoot([]string{`{"eventName":"first"}`, `{"eventName":"third"}`}); status.LedgerRoot != root {
		t.Errorf("ledger root %v, want %v", status.LedgerRoot, root)
	}
}
