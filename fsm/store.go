package fsm

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/tlog"
)

// Config configures a Store.
type Config struct {
	// Dir is the directory that the store owns; it is made if it is missing.
	Dir string
	// FS is the file system; nil means the operating system's.
	FS vfs.FS
	// CacheBytes bounds the block cache; 0 means 64 MiB.
	CacheBytes int64
	// CacheRecords bounds the cache of decoded records; 0 means 65,536.
	CacheRecords int
}

// Store is one replica's state and ledger on its disk. It implements [View]. It is
// safe for concurrent use; Apply, Skip and Restore wait for each other, and their
// order is their caller's (Raft's FSM runner).
type Store struct {
	cfg      Config
	blocks   *pebble.Cache
	current  atomic.Pointer[state]
	closed   atomic.Bool
	retiring sync.WaitGroup // states that Restore has replaced

	applying sync.Mutex // held by Apply, Skip and Restore; guards what follows
	dir      *directory
}

// Status is what a replica can be compared by: equal Applied means that all
// else is equal too, or a replica has diverged.
type Status struct {
	Applied    uint64    // Raft index of the last entry in the state
	StateHash  tlog.Hash // running hash over all effects
	LedgerSize int64     // records in the ledger
	LedgerRoot tlog.Hash // RFC 6962 root of the ledger at that size
}

// ErrNoRecord is returned for a ledger position at or beyond the ledger's size.
var ErrNoRecord = errors.New("fsm: no such ledger record")

// ErrClosed is returned by a store that has been closed.
var ErrClosed = errors.New("fsm: store closed")

// Open opens or makes the store and recovers the last consistent state that
// reached the disk: a prefix of what was applied.
func Open(cfg Config) (*Store, error) {
	if cfg.FS == nil {
		cfg.FS = vfs.Default
	}
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = 64 << 20
	}
	if cfg.CacheRecords == 0 {
		cfg.CacheRecords = 1 << 16
	}
	s := &Store{cfg: cfg, blocks: pebble.NewCache(cfg.CacheBytes)}
	if err := s.open(); err != nil {
		s.blocks.Unref()
		return nil, fmt.Errorf("opening the state store: %w", err)
	}
	return s, nil
}

func (s *Store) open() (err error) {
	if s.dir, err = openDirectory(s.cfg.FS, s.cfg.Dir); err != nil {
		return err
	}
	var st *state
	if s.dir.number == 0 {
		err = s.makeState()
	}
	if err == nil {
		st, err = s.openState()
	}
	if err != nil {
		return errors.Join(err, s.dir.lock.Close())
	}
	s.current.Store(st)
	return nil
}

// makeState makes the first database, empty.
func (s *Store) makeState() error {
	f := newFailure()
	st, err := openState(s.dir.incoming(), engineOptions(s.cfg.FS, s.blocks, f), f, s.cfg.CacheRecords)
	if err != nil {
		return err
	}
	st.release()
	if err := st.close(); err != nil {
		return err
	}
	return s.dir.adopt()
}

// openState opens the database in use.
func (s *Store) openState() (*state, error) {
	f := newFailure()
	opts := engineOptions(s.cfg.FS, s.blocks, f)
	opts.ErrorIfNotExists = true
	return openState(s.dir.folder(s.dir.number), opts, f, s.cfg.CacheRecords)
}

// Close lets no more readers begin, waits for those that have, flushes and closes
// the store. A reader must not call it. After an error the directory stays locked
// while the process lives: the database may be at work on it yet.
func (s *Store) Close() error {
	s.applying.Lock()
	if s.closed.Swap(true) {
		s.applying.Unlock()
		return ErrClosed
	}
	st := s.current.Load()
	st.release()
	s.applying.Unlock()
	select {
	case <-st.idle:
		s.retiring.Wait()
	case <-st.failure.done: // who reads a database that has failed may never return
	}
	if err := st.close(); err != nil {
		return fmt.Errorf("closing the state store: %w", err)
	}
	s.blocks.Unref()
	return s.dir.lock.Close()
}

// acquire answers the current state with a reference to it.
func (s *Store) acquire() (*state, error) {
	for !s.closed.Load() {
		if st := s.current.Load(); st.acquire() {
			return st, nil
		} // else Restore has just replaced it
	}
	return nil, ErrClosed
}

// read calls fn with the current state, which is not closed before fn returns.
func (s *Store) read(fn func(*state) error) error {
	st, err := s.acquire()
	if err != nil {
		return err
	}
	defer st.release()
	return fn(st)
}

// Get implements View. A cached record costs no access to the database.
func (s *Store) Get(key Key) (rec *Record, err error) {
	rec, hit, _ := s.current.Load().cache.get(key)
	if hit {
		return rec, nil
	}
	err = s.read(func(st *state) error {
		rec, err = st.record(key)
		return err
	})
	return rec, err
}

// Scan implements View.
func (s *Store) Scan(prefix, after Key, fn func(Key, *Record) (bool, error)) error {
	return s.read(func(st *state) error { return st.scan(prefix, after, fn) })
}

// Applied implements View.
func (s *Store) Applied() uint64 { return s.Status().Applied }

// Apply applies committed entries in order and answers one Result for each.
// Entries at or below Applied are skipped; their Result has Err ErrStale and
// nobody may take it for an outcome. An error means that the disk failed: the
// replica must stop, since what it applied is unknown, and every later call
// answers the same error.
func (s *Store) Apply(entries []Entry) (results []Result, err error) {
	s.applying.Lock()
	defer s.applying.Unlock()
	err = s.read(func(st *state) error {
		results, err = st.apply(entries)
		return err
	})
	return results, err
}

// Skip advances Applied over an index that holds no command (Raft's own
// entries: barriers, configurations).
func (s *Store) Skip(index uint64) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	return s.read(func(st *state) error { return st.skip(index) })
}

// Err is nil as long as the store is sound, and then what Apply answers: a write
// behind the store's back has failed, say.
func (s *Store) Err() error { return s.current.Load().failure.get() }

// Status describes the applied state.
func (s *Store) Status() Status { return s.current.Load().tip.Load().status }

// HashAt answers the Status as it was when the entry of an index had been
// applied, for the last 4,096 entries (from memory); false where it is not
// known any more or yet.
func (s *Store) HashAt(index uint64) (Status, bool) { return s.current.Load().history.at(index) }

// Event answers the ledger record at a position, exactly the bytes hashed.
func (s *Store) Event(position int64) (event []byte, err error) {
	err = s.read(func(st *state) error {
		event, err = st.event(position)
		return err
	})
	return event, err
}

// Events calls fn with the records from a position on, in order, until fn
// answers false or the ledger ends. It reads one consistent state.
func (s *Store) Events(from int64, fn func(position int64, event []byte) (bool, error)) error {
	return s.read(func(st *state) error { return st.events(from, st.tip.Load().status.LedgerSize, fn) })
}

// ReadHashes implements tlog.HashReader over the ledger's tree.
func (s *Store) ReadHashes(indexes []int64) (hashes []tlog.Hash, err error) {
	err = s.read(func(st *state) error {
		hashes, err = st.readHashes(indexes)
		return err
	})
	return hashes, err
}
