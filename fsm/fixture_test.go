package fsm_test

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cofre-kms/cofre/fsm"
)

func open(t testing.TB, fs vfs.FS) *fsm.Store {
	t.Helper()
	s, err := tryOpen(fs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryOpen(fs vfs.FS) (*fsm.Store, error) {
	return fsm.Open(fsm.Config{Dir: "/data/state", FS: fs, CacheBytes: 1 << 20, CacheRecords: 1024})
}

// put is a transaction that reads nothing, writes a record and appends an event
// that says so.
func put(key, value string) *fsm.Txn {
	tx := fsm.NewTxn(nil)
	tx.Put(fsm.NewKey("t", key), []byte(value))
	tx.SetEvent(fmt.Appendf(nil, "put %s %s", key, value))
	return tx
}

func encode(t testing.TB, b *fsm.Batch) []byte {
	t.Helper()
	command, err := fsm.EncodeBatch(b)
	if err != nil {
		t.Fatal(err)
	}
	return command
}

// entry is the index'th batch of node "n".
func entry(t testing.TB, index uint64, txns ...*fsm.Txn) fsm.Entry {
	t.Helper()
	return fsm.Entry{Index: index, Command: encode(t, &fsm.Batch{
		Node: "n", Incarnation: 1, Sequence: index, Settled: index - 1, Txns: txns,
	})}
}

func apply(t testing.TB, s *fsm.Store, entries ...fsm.Entry) []fsm.Result {
	t.Helper()
	results, err := s.Apply(entries)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// fill applies entries with one put each up to an index.
func fill(t testing.TB, s *fsm.Store, to uint64) {
	t.Helper()
	for index := s.Applied() + 1; index <= to; index++ {
		apply(t, s, entry(t, index, put(fmt.Sprint(index%10), fmt.Sprint(index))))
	}
}

func value(t testing.TB, s *fsm.Store, key string) string {
	t.Helper()
	rec, err := s.Get(fsm.NewKey("t", key))
	if err != nil {
		t.Fatal(err)
	}
	if rec == nil {
		return ""
	}
	return string(rec.Value)
}
