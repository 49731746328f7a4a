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
		if status, err = checkpointStatus(s.cfg.FS, dir); err != nil {
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

// checkpointStatus reads the meta record of a copy.
func checkpointStatus(fs vfs.FS, dir string) (status Status, err error) {
	blocks := pebble.NewCache(1 << 20)
	defer blocks.Unref()
	f := newFailure()
	opts := engineOptions(fs, blocks, f)
	opts.ReadOnly = true
	err = f.run(func() error {
		db, err := pebble.Open(dir, opts)
		if err != nil {
			return err
		}
		status, err = readMeta(db)
		return errors.Join(err, db.Close())
	})
	return status, err
}

// Restore replaces the state by a stream of WriteCheckpoint. It checks the
// stream whole before it gives the old state up; a crash at any point leaves
// the old state or the new one. Readers that have begun finish on the old state.
// An error leaves the old state in use, and wraps ErrStream where the stream is to
// blame.
func (s *Store) Restore(r io.Reader) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	old, err := s.acquire()
	if err != nil {
		return err
	}
	defer old.release()
	if err := old.failure.get(); err != nil {
		return err
	}
	number := s.dir.current + 1
	next, err := s.receive(number, r)
	if err != nil {
		return fmt.Errorf("restoring the state: %w", errors.Join(err, s.cfg.FS.RemoveAll(s.dir.folder(number))))
	}
	// The new state is whole and durable beside the old one. A crash here leaves
	// the old one in use.
	if err := s.dir.use(number); err != nil {
		// Either may be in use now, and nobody knows until the next Open.
		old.failure.set(err)
		next.abandon()
		return fmt.Errorf("restoring the state: %w", old.failure.get())
	}
	s.current.Store(next)
	s.retire(old)
	return nil
}

// receive opens the database that a stream holds in the folder of a number.
func (s *Store) receive(number uint64, r io.Reader) (*state, error) {
	folder := s.dir.folder(number)
	if err := s.cfg.FS.RemoveAll(folder); err != nil {
		return nil, err
	}
	if err := receiveCheckpoint(s.cfg.FS, folder, r); err != nil {
		return nil, err
	}
	return s.openState(folder)
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
