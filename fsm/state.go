package fsm

import (
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
		return nil, fmt.Errorf("opening the database %s: %w", folder, err)
	}
	s := &state{folder: folder, db: db, failure: f, cache: newCache(records), idle: make(chan struct{})}
	s.scratch.init()
	s.refs.Store(1)
	if err := s.recover(); err != nil {
		s.release()
		return nil, errors.Join(fmt.Errorf("recovering from the database %s: %w", folder, err), s.abandon())
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
