package fsm_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/fsm"
)

// TestReadersSeeWhatIsApplied lets readers run beside Apply, Checkpoint and
// Restore. Every entry writes all keys, so a read that begins after Applied says
// i must find a revision of at least i, and a scan must find one revision.
func TestReadersSeeWhatIsApplied(t *testing.T) {
	const keys, entries = 12, 300
	s, err := fsm.Open(fsm.Config{Dir: "/db", FS: vfs.NewMem(), CacheRecords: 1}) // evicts all the time
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	write := func(i uint64) fsm.Entry {
		tx := fsm.NewTxn(nil)
		for k := range keys {
			tx.Put(fsm.NewKey("t", fmt.Sprint(k)), fmt.Append(nil, i))
		}
		tx.SetEvent(fmt.Append(nil, i))
		return entry(t, i, tx)
	}
	apply(t, s, write(1))

	stop := make(chan struct{})
	var readers sync.WaitGroup
	for _, read := range []func(*fsm.Store) error{getAll, scanAll, lastEvent, proveLast} {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := read(s); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := uint64(2); i <= entries; i++ {
		apply(t, s, write(i))
		if i%100 != 0 {
			continue
		}
		stream := checkpoint(t, s)
		if err := s.Restore(bytes.NewReader(stream)); err != nil {
			t.Fatal(err)
		}
		if s.Applied() != i {
			t.Fatalf("restored %d at %d", s.Applied(), i)
		}
	}
	close(stop)
	readers.Wait()
}

func getAll(s *fsm.Store) error {
	for _, k := range []string{"0", "1", "5", "11", "absent"} {
		least := s.Applied()
		rec, err := s.Get(fsm.NewKey("t", k))
		switch {
		case err != nil:
			return err
		case k == "absent" && rec == nil:
		case rec == nil || uint64(rec.Rev) < least || string(rec.Value) != fmt.Sprint(rec.Rev):
			return fmt.Errorf("at %d, %s is %+v", least, k, rec)
		}
	}
	return nil
}

func scanAll(s *fsm.Store) error {
	least := s.Applied()
	var rev fsm.Rev
	return s.Scan("t", "", func(key fsm.Key, rec *fsm.Record) (bool, error) {
		if rev == 0 {
			rev = rec.Rev
		}
		if uint64(rec.Rev) < least || rec.Rev != rev {
			return false, fmt.Errorf("at %d, scan has %q at %d and at %d", least, key, rec.Rev, rev)
		}
		return true, nil
	})
}

func lastEvent(s *fsm.Store) error {
	size := s.Status().LedgerSize
	event, err := s.Event(size - 1)
	if err == nil && string(event) != fmt.Sprint(size) {
		err = fmt.Errorf("event %d of %d is %q", size-1, size, event)
	}
	return err
}

func proveLast(s *fsm.Store) error {
	status := s.Status()
	root, err := tlog.TreeHash(status.LedgerSize, s)
	if err == nil && root != status.LedgerRoot {
		err = fmt.Errorf("root at %d is %v, want %v", status.LedgerSize, root, status.LedgerRoot)
	}
	return err
}

// TestCloseWaitsForReaders: a reader that has begun ends in peace, and none
// begins afterwards.
func TestCloseWaitsForReaders(t *testing.T) {
	s := open(t, vfs.NewMem())
	fill(t, s, 20)
	closed := make(chan error, 1)
	err := s.Scan("t", "", func(fsm.Key, *fsm.Record) (bool, error) {
		if closed != nil && s.Applied() == 20 {
			go func(c chan error) { c <- s.Close() }(closed)
			for s.Skip(1) == nil { // until Close has begun
			}
		}
		select {
		case err := <-closed:
			return false, fmt.Errorf("closed under a reader: %w", err)
		default:
			return false, nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	_, getErr := s.Get("never read")
	_, applyErr := s.Apply(nil)
	_, eventErr := s.Event(0)
	_, hashErr := s.ReadHashes([]int64{0})
	_, copyErr := s.Checkpoint("/data/late")
	for what, err := range map[string]error{
		"Get": getErr, "Apply": applyErr, "Event": eventErr, "ReadHashes": hashErr, "Checkpoint": copyErr,
		"Scan":    s.Scan("t", "", nil),
		"Events":  s.Events(0, nil),
		"Skip":    s.Skip(100),
		"Restore": s.Restore(bytes.NewReader(nil)),
		"Close":   s.Close(),
	} {
		if !errors.Is(err, fsm.ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
}

// TestReaderOutlivesRestore: a scan goes on over the state that it began on.
func TestReaderOutlivesRestore(t *testing.T) {
	source := open(t, vfs.NewMem())
	defer source.Close()
	fill(t, source, 25)
	stream := checkpoint(t, source)
	s := open(t, vfs.NewMem())
	fill(t, s, 10)
	seen := 0
	err := s.Scan("t", "", func(_ fsm.Key, rec *fsm.Record) (bool, error) {
		if seen == 0 {
			if err := s.Restore(bytes.NewReader(stream)); err != nil {
				return false, err
			}
			if s.Applied() != 25 || value(t, s, "3") != "23" {
				return false, errors.New("the new state is not in use")
			}
		}
		seen++
		if rec.Rev > 10 {
			return false, fmt.Errorf("revision %d is of the new state", rec.Rev)
		}
		return true, nil
	})
	if err != nil || seen != 10 {
		t.Errorf("saw %d records: %v", seen, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := fsm.FS(s).List("/data/state")
	slices.Sort(names)
	if err != nil || !slices.Equal(names, []string{"LOCK", "state-000002"}) {
		t.Errorf("%v is left: %v", names, err)
	}
}
