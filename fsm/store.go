package fsm

import (
	"errors"
	"fmt"
	"io"
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

// Store is one replica's state and ledger on its disk. It implements [View].
// Apply, Restore and Checkpoint belong to one goroutine at a time (Raft's FSM
// runner); all else is safe for concurrent use.
type Store struct {
	cfg      Config
	blocks   *pebble.Cache
	applying sync.Mutex // held by Apply, Skip and Restore
	current  atomic.Pointer[state]
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
	if err := cfg.FS.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the state store: %w", err)
	}
	f := newFailure()
	st, err := openState(cfg.Dir, engineOptions(cfg.FS, s.blocks, f), f, cfg.CacheRecords)
	if err != nil {
		s.blocks.Unref()
		return nil, fmt.Errorf("opening the state store: %w", err)
	}
	s.current.Store(st)
	return s, nil
}

// Close waits for readers, flushes and closes the store. It may be called once.
func (s *Store) Close() error {
	s.applying.Lock()
	defer s.applying.Unlock()
	st := s.current.Load()
	st.release()
	<-st.closed
	s.blocks.Unref()
	return st.closeE
}

// acquire answers the current state with a reference to it.
func (s *Store) acquire() (*state, error) {
	for {
		st := s.current.Load()
		if st.acquire() {
			return st, nil
		}
		if s.current.Load() == st {
			return nil, ErrClosed
		}
	}
}

// Get implements View. A cached record costs no access to the database.
func (s *Store) Get(key Key) (*Record, error) {
	if rec, hit, _ := s.current.Load().cache.get(key); hit {
		return rec, nil
	}
	st, err := s.acquire()
	if err != nil {
		return nil, err
	}
	defer st.release()
	return st.record(key)
}

// Scan implements View.
func (s *Store) Scan(prefix, after Key, fn func(Key, *Record) (bool, error)) error {
	st, err := s.acquire()
	if err != nil {
		return err
	}
	defer st.release()
	return st.scan(prefix, after, fn)
}

// Applied implements View.
func (s *Store) Applied() uint64 { return s.Status().Applied }

// Apply applies committed entries in order and answers one Result for each.
// Entries at or below Applied are skipped; their Result has Err ErrStale and
// nobody may take it for an outcome. An error means that the disk failed: the
// replica must stop, since what it applied is unknown, and every later call
// answers the same error.
func (s *Store) Apply(entries []Entry) ([]Result, error) {
	s.applying.Lock()
	defer s.applying.Unlock()
	st, err := s.acquire()
	if err != nil {
		return nil, err
	}
	defer st.release()
	return st.apply(entries)
}

// Skip advances Applied over an index that holds no command (Raft's own
// entries: barriers, configurations).
func (s *Store) Skip(index uint64) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	st, err := s.acquire()
	if err != nil {
		return err
	}
	defer st.release()
	return st.skip(index)
}

// Status describes the applied state.
func (s *Store) Status() Status { return s.current.Load().tip.Load().status }

// HashAt answers the Status as it was when the entry of an index had been
// applied, for the last 4,096 entries (from memory); false where it is not
// known any more or yet.
func (s *Store) HashAt(index uint64) (Status, bool) { return s.current.Load().history.at(index) }

// Event answers the ledger record at a position, exactly the bytes hashed.
func (s *Store) Event(position int64) ([]byte, error) {
	st, err := s.acquire()
	if err != nil {
		return nil, err
	}
	defer st.release()
	return st.event(position)
}

// Events calls fn with the records from a position on, in order, until fn
// answers false or the ledger ends. It reads one consistent state. The bytes are
// fn's only until it returns.
func (s *Store) Events(from int64, fn func(position int64, event []byte) (bool, error)) error {
	st, err := s.acquire()
	if err != nil {
		return err
	}
	defer st.release()
	return st.events(from, st.tip.Load().status.LedgerSize, fn)
}

// ReadHashes implements tlog.HashReader over the ledger's tree.
func (s *Store) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	st, err := s.acquire()
	if err != nil {
		return nil, err
	}
	defer st.release()
	return st.readHashes(indexes)
}

var errLater = errors.New("fsm: under construction")

// Checkpoint flushes and makes a copy of the state by hard links in dir, which
// must not exist; its cost does not depend on the size of the state. When it
// returns, everything applied so far is durable in the store and in the copy.
func (s *Store) Checkpoint(dir string) (Status, error) { return Status{}, errLater }

// WriteCheckpoint streams a copy that Checkpoint made, with a checksum.
func WriteCheckpoint(fs vfs.FS, dir string, w io.Writer) error { return errLater }

// Restore replaces the state by a stream of WriteCheckpoint. It checks the
// stream whole before it gives the old state up; a crash at any point leaves
// the old state or the new one.
func (s *Store) Restore(r io.Reader) error { return errLater }
