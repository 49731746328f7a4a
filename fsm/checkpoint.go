package fsm

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Checkpoint flushes and makes a copy of the state by hard links in dir, which
// must not exist and be on the store's file system; its cost does not depend on
// the size of the state. When it returns, everything that was applied before the
// call is durable in the store and in the copy. It may run beside Apply: the copy
// is then one of the states that the store went through meanwhile, whole, and the
// Status that it answers is the copy's.
func (s *Store) Checkpoint(dir string) (status Status, err error) {
	err = s.read(func(st *state) (err error) {
		if err = st.checkpoint(dir); err != nil {
			return err
		}
		if status, err = inspect(s.cfg.FS, dir); err != nil {
			return errors.Join(err, s.cfg.FS.RemoveAll(dir))
		}
		return nil
	})
	if err != nil {
		return Status{}, fmt.Errorf("making a checkpoint: %w", err)
	}
	return status, nil
}

// checkpoint flushes, which makes durable what was applied, and links the files.
// Without a write-ahead log what is flushed is all that the copy has: the state
// after some entry, since memtables are flushed in order.
func (s *state) checkpoint(dir string) error {
	return s.failure.run(func() error {
		flushed, err := s.db.AsyncFlush()
		if err != nil {
			return err
		}
		<-flushed
		return s.db.Checkpoint(dir)
	})
}

// inspect opens a database for reading only, checks it as Open does, and answers
// what it holds.
func inspect(fs vfs.FS, folder string) (Status, error) {
	blocks := pebble.NewCache(1 << 20)
	defer blocks.Unref()
	f := newFailure()
	opts := engineOptions(fs, blocks, f)
	opts.ReadOnly = true
	st, err := openState(folder, opts, f, 0)
	if err != nil {
		return Status{}, err
	}
	st.release()
	return st.tip.Load().status, st.abandon()
}

// Restore replaces the state by a stream of WriteCheckpoint. It checks the
// stream whole before it gives the old state up; a crash at any point leaves
// the old state or the new one. Readers that have begun finish on the old state.
// An error that wraps ErrStream, or any other with which Err is still nil, leaves
// the old state in use.
func (s *Store) Restore(r io.Reader) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	err := s.read(func(old *state) error {
		if err := old.failure.get(); err != nil {
			return err
		}
		if err := s.receive(r); err != nil {
			return errors.Join(err, s.dir.discard())
		}
		// The new state is whole and durable beside the old one, and not in use.
		if err := s.replace(old); err != nil {
			// Which one is in use now the next Open finds out.
			old.failure.set(err)
			return old.failure.get()
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("restoring the state: %w", err)
	}
	return nil
}

// receive makes the database that a stream holds.
func (s *Store) receive(r io.Reader) error {
	if err := s.dir.discard(); err != nil {
		return err
	}
	if err := receiveCheckpoint(s.cfg.FS, s.dir.incoming(), r); err != nil {
		return err
	}
	_, err := inspect(s.cfg.FS, s.dir.incoming())
	return err
}

// replace takes the received database into use. A crash before its folder has
// been renamed leaves the old one in use.
func (s *Store) replace(old *state) error {
	if err := s.dir.adopt(); err != nil {
		return err
	}
	next, err := s.openState()
	if err != nil {
		return err
	}
	if plantedSessions {
		clear(next.sessions)
	}
	s.current.Store(next)
	s.retire(old)
	return nil
}

// retire closes a state when its last reader has let go, and removes it. What
// cannot be removed goes with the next Open.
func (s *Store) retire(old *state) {
	old.release()
	s.retiring.Go(func() {
		<-old.idle
		if old.abandon() == nil {
			s.cfg.FS.RemoveAll(old.folder)
		}
	})
}
