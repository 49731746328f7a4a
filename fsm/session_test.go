package fsm_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cofre-kms/cofre/fsm"
)

// batchOf is a batch with one event.
func batchOf(node string, incarnation, sequence, settled uint64) *fsm.Batch {
	return &fsm.Batch{Node: node, Incarnation: incarnation, Sequence: sequence, Settled: settled, Txns: []*fsm.Txn{put("k", node)}}
}

// TestBatchTakesEffectOnce proposes a batch whose outcome is unknown again, for
// each case twice: the first proposal had taken effect, and it had been lost.
// before is what was committed ahead of it, between what came between the two.
func TestBatchTakesEffectOnce(t *testing.T) {
	tests := []struct {
		name            string
		before, between []*fsm.Batch
		batch           *fsm.Batch
		applied         error // of the second proposal, where the first took effect
		lost            error // and where it was lost
	}{
		{name: "at once", batch: batchOf("a", 1, 1, 0)},
		{name: "others between", batch: batchOf("a", 1, 1, 0),
			between: []*fsm.Batch{batchOf("a", 1, 2, 0), batchOf("b", 1, 1, 0), batchOf("a", 1, 3, 0)}},
		{name: "behind a later one", batch: batchOf("a", 1, 2, 0),
			before: []*fsm.Batch{batchOf("a", 1, 3, 1)}},
		{name: "same number of another node", batch: batchOf("a", 1, 1, 0),
			before: []*fsm.Batch{batchOf("b", 1, 1, 0)}},
		{name: "same number of an older incarnation", batch: batchOf("a", 2, 1, 0),
			before: []*fsm.Batch{batchOf("a", 1, 1, 0)}},
		{name: "settled just below", batch: batchOf("a", 1, 5, 0),
			between: []*fsm.Batch{batchOf("a", 1, 6, 4)}},
		{name: "settled meanwhile", batch: batchOf("a", 1, 5, 0), applied: fsm.ErrStale, lost: fsm.ErrStale,
			between: []*fsm.Batch{batchOf("a", 1, 6, 5)}},
		{name: "settled far beyond", batch: batchOf("a", 1, 5, 0), applied: fsm.ErrStale, lost: fsm.ErrStale,
			between: []*fsm.Batch{batchOf("a", 1, 1<<60, 1<<59)}},
		{name: "settled by an older number", batch: batchOf("a", 1, 5, 0),
			between: []*fsm.Batch{batchOf("a", 1, 9, 4), batchOf("a", 1, 8, 2)}},
		{name: "incarnation ended", batch: batchOf("a", 1, 5, 0), applied: fsm.ErrStale, lost: fsm.ErrStale,
			between: []*fsm.Batch{batchOf("a", 2, 1, 0)}},
		{name: "incarnation of another node ended", batch: batchOf("a", 1, 5, 0),
			between: []*fsm.Batch{batchOf("b", 1, 1, 0), batchOf("b", 2, 1, 0)}},
	}
	for _, test := range tests {
		t.Run(test.name+"/took effect", func(t *testing.T) {
			propose(t, slices.Concat(test.before, []*fsm.Batch{test.batch}, test.between), test.batch, test.applied, uint64(len(test.before)+1))
		})
		t.Run(test.name+"/lost", func(t *testing.T) {
			propose(t, slices.Concat(test.before, test.between), test.batch, test.lost, uint64(len(test.before)+len(test.between)+1))
		})
	}
}

// propose applies history and then a batch, and expects that it answers wantErr
// or the outcome of the entry at first. It does so in one call, in many, and over
// a restart and a restore.
func propose(t *testing.T, history []*fsm.Batch, batch *fsm.Batch, wantErr error, first uint64) {
	t.Helper()
	var entries []fsm.Entry
	for i, b := range append(history, batch) {
		entries = append(entries, fsm.Entry{Index: uint64(i + 1), Command: encode(t, b)})
	}
	last := entries[len(entries)-1]
	ways := map[string]func(s *fsm.Store) (*fsm.Store, fsm.Result){
		"one call": func(s *fsm.Store) (*fsm.Store, fsm.Result) {
			return s, apply(t, s, entries...)[len(entries)-1]
		},
		"many calls": func(s *fsm.Store) (*fsm.Store, fsm.Result) {
			for _, e := range entries[:len(entries)-1] {
				apply(t, s, e)
			}
			return s, apply(t, s, last)[0]
		},
		"restored": func(s *fsm.Store) (*fsm.Store, fsm.Result) {
			apply(t, s, entries[:len(entries)-1]...)
			s = copyOf(t, s)
			return s, apply(t, s, last)[0]
		},
	}
	want := uint64(len(entries)) // events
	if wantErr != nil || first != last.Index {
		want--
	}
	var hash any
	for way, run := range ways {
		s, got := run(open(t, vfs.NewMem()))
		defer s.Close()
		if !errors.Is(got.Err, wantErr) || wantErr == nil && (got.Index != first || !slices.Equal(got.Outcomes, []fsm.Outcome{fsm.Committed})) {
			t.Errorf("%s: %+v, want entry %d, error %v", way, got, first, wantErr)
		}
		if got.Node != batch.Node || got.Sequence != batch.Sequence || got.Incarnation != batch.Incarnation {
			t.Errorf("%s: %+v is not of %+v", way, got, batch)
		}
		if size := s.Status().LedgerSize; size != int64(want) {
			t.Errorf("%s: %d events, want %d", way, size, want)
		}
		if hash != nil && hash != s.Status() {
			t.Errorf("%s: %+v, another way %+v", way, s.Status(), hash)
		}
		hash = s.Status()
	}
}

// copyOf moves a store by way of a checkpoint stream.
func copyOf(t *testing.T, s *fsm.Store) *fsm.Store {
	t.Helper()
	stream := checkpoint(t, s)
	s.Close()
	next := open(t, vfs.NewMem())
	if err := next.Restore(bytes.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	return next
}

// TestRepeatKeepsItsOutcome shows that a conflict stays one though the
// transaction would commit by now.
func TestRepeatKeepsItsOutcome(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	tx := fsm.NewTxn(frozen{"t\x00k": 2})
	tx.Get("t\x00k")
	tx.SetEvent([]byte("event"))
	command := encode(t, &fsm.Batch{Node: "a", Incarnation: 1, Sequence: 1, Txns: []*fsm.Txn{tx, put("other", "x")}})
	first := apply(t, s, fsm.Entry{Index: 1, Command: command})[0]
	apply(t, s, fsm.Entry{Index: 2, Command: encode(t, batchOf("b", 1, 1, 0))})
	again := apply(t, s, fsm.Entry{Index: 3, Command: command})[0]
	want := []fsm.Outcome{fsm.Conflict, fsm.Committed}
	if !slices.Equal(first.Outcomes, want) || !same(first, again) {
		t.Errorf("first %+v, again %+v", first, again)
	}
}

// TestUnsettledIsBounded: a node that settles nothing loses its oldest outcomes,
// and cannot make a batch happen twice by it.
func TestUnsettledIsBounded(t *testing.T) {
	const kept = 4096
	fs := vfs.NewMem()
	s := open(t, fs)
	var entries []fsm.Entry
	for i := uint64(1); i <= kept+10; i++ {
		command := encode(t, &fsm.Batch{Node: "a", Incarnation: 1, Sequence: i})
		entries = append(entries, fsm.Entry{Index: i, Command: command})
	}
	apply(t, s, entries...)
	s.Close()
	s = open(t, fs)
	defer s.Close()
	next := uint64(len(entries))
	for _, i := range []uint64{1, 10, 11, kept + 10} {
		next++
		got := apply(t, s, fsm.Entry{Index: next, Command: entries[i-1].Command})[0]
		if stale := i <= 10; errors.Is(got.Err, fsm.ErrStale) != stale || !stale && got.Index != i {
			t.Errorf("batch %d: %+v", i, got)
		}
	}
}

// TestSilentNodeIsForgotten: the sessions of nodes are bounded too.
func TestSilentNodeIsForgotten(t *testing.T) {
	const kept = 256
	fs := vfs.NewMem()
	s := open(t, fs)
	index := uint64(0)
	propose := func(node int, sequence uint64) fsm.Result {
		index++
		command := encode(t, &fsm.Batch{Node: fmt.Sprint("node ", node), Incarnation: 1, Sequence: sequence})
		return apply(t, s, fsm.Entry{Index: index, Command: command})[0]
	}
	for node := range kept {
		propose(node, 1)
	}
	propose(0, 2) // node 1 is now the one that has been silent for longest
	propose(kept, 1)
	s.Close()
	s = open(t, fs)
	defer s.Close()
	for _, node := range []int{0, 2, kept, 1} {
		got := propose(node, 1)
		if repeated := got.Index < index; repeated != (node != 1) || got.Err != nil {
			t.Errorf("node %d: %+v at %d", node, got, index)
		}
	}
}
