package snapshot

import (
	"io"
	"sync"
)

// heldReader keeps a snapshot from being removed while it is read. It may be
// closed again: Raft closes what the state machine has closed.
type heldReader struct {
	io.ReadCloser
	release func()
	once    sync.Once
}

func (r *heldReader) Close() (err error) {
	r.once.Do(func() {
		err = r.ReadCloser.Close()
		r.release()
	})
	return err
}

func (s *Store) hold(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers[id]++
}

func (s *Store) release(id string) {
	s.mu.Lock()
	if s.readers[id]--; s.readers[id] == 0 {
		delete(s.readers, id)
	}
	s.mu.Unlock()
	s.reap()
}

// reap removes all but the newest snapshots, sparing those that are being read.
// What cannot be removed costs space and nothing else.
func (s *Store) reap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.list()
	if err != nil {
		s.logger.Warn("cannot list snapshots", "error", err)
		return
	}
	for i, m := range list {
		if i < retain || s.readers[m.ID] > 0 {
			continue
		}
		if err := s.remove(m.ID); err != nil {
			s.logger.Warn("cannot remove an old snapshot", "id", m.ID, "error", err)
		}
	}
}

// remove takes the name away first, so that a crash leaves no half snapshot.
func (s *Store) remove(id string) error {
	doomed := s.fs.PathJoin(s.dir, unfinished+"old-"+id)
	if err := s.fs.Rename(s.fs.PathJoin(s.dir, id), doomed); err != nil {
		return err
	}
	return s.fs.RemoveAll(doomed)
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
