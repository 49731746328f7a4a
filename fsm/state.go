package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cofre-kms/cofre/ledger"
)

// state is one opened database with what is kept in memory of it. Restore
// replaces it whole. Readers hold a reference while they read the database; it
// is closed after the last one has let go.
type state struct {
	folder  string
	db      *pebble.DB
	failure *failure
	cache   *cache
	history history
	tip     atomic.Pointer[tip]

	refs atomic.Int64  // readers, and one for the store
	idle chan struct{} // closed when refs has come to 0 and stays there

	// Owned by Apply's goroutine.
	tree     *ledger.Tree
	sessions sessions
	scratch  scratch
}

// tip is what the applied state looks like from outside, published at one stroke.
type tip struct {
	status Status
	edge   *ledger.Edge
}

// openState opens the database of a directory and recovers what is kept in
// memory. A crash lost what was not flushed, but nothing in between: each Pebble
// batch is whole or absent, and so is everything before it.
func openState(folder string, opts *pebble.Options, f *failure, records int) (*state, error) {
	var db *pebble.DB
	err := f.run(func() (err error) {
		db, err = pebble.Open(folder, opts)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	s := &state{folder: folder, db: db, failure: f, cache: newCache(records), idle: make(chan struct{})}
	s.scratch.init()
	s.refs.Store(1)
	if err := s.recover(); err != nil {
		s.release()
		return nil, errors.Join(err, s.abandon())
	}
	return s, nil
}

func (s *state) recover() error {
	status, err := readMeta(s.db)
	if err != nil {
		return err
	}
	if s.sessions, err = loadSessions(s.db); err != nil {
		return fmt.Errorf("reading the sessions: %w", err)
	}
	if s.tree, err = ledger.NewTree(status.LedgerSize, s.partialTile); err != nil {
		return fmt.Errorf("reading the ledger's right edge: %w", err)
	}
	if s.tree.Root() != status.LedgerRoot {
		return fmt.Errorf("%w: ledger root at %d records", errCorrupt, status.LedgerSize)
	}
	s.publish(status, []Status{status})
	return nil
}

// publish makes a state that has been committed to the database visible.
func (s *state) publish(status Status, passed []Status) {
	s.history.add(passed)
	s.tip.Store(&tip{status: status, edge: s.tree.Edge()})
}

// acquire takes a reference, unless the state has been given up.
func (s *state) acquire() bool {
	for {
		n := s.refs.Load()
		if n == 0 {
			return false
		}
		if s.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release gives a reference back.
func (s *state) release() {
	if s.refs.Add(-1) == 0 {
		close(s.idle)
	}
}

// close flushes and closes the database, after the store has let go of it.
func (s *state) close() error {
	if s.failure.get() != nil {
		return s.abandon()
	}
	return errors.Join(s.failure.run(s.db.Flush), s.abandon())
}

// abandon closes the database without flushing, after the store has let go of it.
// One that has failed is closed when nothing is at work on it any more, if ever,
// and nobody waits for that: the process has to end.
func (s *state) abandon() error {
	if err := s.failure.get(); err != nil {
		go func() {
			<-s.idle
			s.failure.running.Wait()
			s.db.Close()
		}()
		return err
	}
	return s.failure.run(s.db.Close)
}

// lookup answers a copy of a value, nil where there is none.
func lookup(db *pebble.DB, key []byte) ([]byte, error) {
	value, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value = append([]byte{}, value...)
	return value, closer.Close()
}

// record reads a record through the cache.
func (s *state) record(key Key) (*Record, error) {
	rec, hit, epoch := s.cache.get(key)
	if hit {
		return rec, nil
	}
	stored, closer, err := s.db.Get(appendRecordKey(nil, key))
	switch {
	case errors.Is(err, pebble.ErrNotFound):
	case err != nil:
		return nil, fmt.Errorf("reading a record: %w", err)
	default:
		rec, err = newRecord(stored)
		if err := errors.Join(err, closer.Close()); err != nil {
			return nil, fmt.Errorf("reading a record: %w", err)
		}
	}
	return s.cache.offer(key, rec, epoch), nil
}

// scan calls fn for the records under prefix after a key.
func (s *state) scan(prefix, after Key, fn func(Key, *Record) (bool, error)) (err error) {
	lower := appendRecordKey(nil, prefix)
	upper := append(bytes.Clone(lower), 1) // segments are joined by 0: nothing under prefix is beyond
	if from := append(appendRecordKey(nil, after), 0); after != "" && bytes.Compare(from, lower) > 0 {
		lower = from
	}
	if bytes.Compare(lower, upper) >= 0 {
		return nil
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	defer closeInto(&err, it)
	for ok := it.First(); ok; ok = it.Next() {
		stored, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		key := Key(it.Key()[1:])
		rec, err := s.scanned(key, stored)
		if err != nil {
			return err
		}
		if more, err := fn(key, rec); err != nil || !more {
			return err
		}
	}
	return it.Error()
}

// scanned answers the cached record, and its decoded value with it, where it is
// of the same revision. A scan does not fill the cache.
func (s *state) scanned(key Key, stored []byte) (*Record, error) {
	rec, err := newRecord(stored)
	if err != nil {
		return nil, err
	}
	if cached, hit := s.cache.peek(key); hit && cached != nil && cached.Rev == rec.Rev {
		return cached, nil
	}
	return rec, nil
}

// each calls fn with every key under a prefix.
func each(db *pebble.DB, prefix []byte, fn func(key, value []byte) error) (err error) {
	upper := append(bytes.Clone(prefix[:len(prefix)-1]), prefix[len(prefix)-1]+1)
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: upper})
	if err != nil {
		return err
	}
	defer closeInto(&err, it)
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := fn(it.Key(), value); err != nil {
			return err
		}
	}
	return it.Error()
}
