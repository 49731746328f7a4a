package fsm_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cofre-kms/cofre/fsm"
)

// TestReadsGoForward reads two records that every transaction writes together,
// one after the other, while transactions are applied: what is read second is
// never older than what was read first. A guarded read of a parent covers
// children that are read after it only if this holds.
func TestReadsGoForward(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	parent, child := fsm.NewKey("parent", "1"), fsm.NewKey("child", "1")
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				first, second := number(t, s, parent), number(t, s, child)
				if second < first {
					t.Errorf("the child is of transaction %d, its parent, read before, of %d", second, first)
					return
				}
			}
		})
	}
	for i := uint64(1); i <= 1000; i++ {
		tx := fsm.NewTxn(s)
		if i%50 == 0 { // so that readers find the records absent too
			tx.Delete(parent)
		} else {
			tx.Put(parent, []byte(strconv.FormatUint(i, 10)))
		}
		tx.Put(child, []byte(strconv.FormatUint(i, 10)))
		for _, filler := range []string{"a", "b", "c", "d"} {
			tx.Put(fsm.NewKey("filler", filler), []byte("x"))
		}
		cmd, err := fsm.EncodeBatch(&fsm.Batch{Node: "n1", Incarnation: 1, Sequence: i, Settled: i - 1, Txns: []*fsm.Txn{tx}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Apply([]fsm.Entry{{Index: i, Command: cmd}}); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	readers.Wait()
}

// number reads a record that holds a number; 0 where it is absent.
func number(t *testing.T, s *fsm.Store, key fsm.Key) uint64 {
	rec, err := s.Get(key)
	if err != nil {
		t.Error(err)
	}
	if rec == nil {
		return 0
	}
	n, err := strconv.ParseUint(string(rec.Value), 10, 64)
	if err != nil {
		t.Error(err)
	}
	return n
}
