package fsm

import (
	"errors"
	"io"

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
type Store struct{}

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

var errLater = errors.New("fsm: store under construction")

// Open opens or makes the store and recovers the last consistent state that
// reached the disk: a prefix of what was applied.
func Open(cfg Config) (*Store, error) { return nil, errLater }

// Close flushes and closes the store.
func (s *Store) Close() error { return errLater }

// Get implements View.
func (s *Store) Get(key Key) (*Record, error) { return nil, errLater }

// Scan implements View.
func (s *Store) Scan(prefix, after Key, fn func(Key, *Record) (bool, error)) error { return errLater }

// Applied implements View.
func (s *Store) Applied() uint64 { return 0 }

// Apply applies committed entries in order and answers one Result for each.
// Entries at or below Applied are skipped; their Result has Err ErrStale and
// nobody may take it for an outcome. An error means that the disk failed: the
// replica must stop, since what it applied is unknown.
func (s *Store) Apply(entries []Entry) ([]Result, error) { return nil, errLater }

// Skip advances Applied over an index that holds no command (Raft's own
// entries: barriers, configurations).
func (s *Store) Skip(index uint64) error { return errLater }

// Status describes the applied state.
func (s *Store) Status() Status { return Status{} }

// HashAt answers the Status as it was when the entry of an index had been
// applied, for the last 4,096 entries (from memory); false where it is not
// known any more or yet.
func (s *Store) HashAt(index uint64) (Status, bool) { return Status{}, false }

// Event answers the ledger record at a position, exactly the bytes hashed.
func (s *Store) Event(position int64) ([]byte, error) { return nil, errLater }

// Events calls fn with the records from a position on, in order, until fn
// answers false or the ledger ends. It reads one consistent state.
func (s *Store) Events(from int64, fn func(position int64, event []byte) (bool, error)) error {
	return errLater
}

// ReadHashes implements tlog.HashReader over the ledger's tree.
func (s *Store) ReadHashes(indexes []int64) ([]tlog.Hash, error) { return nil, errLater }

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

// EncodeBatch encodes and compresses a batch as a command for the Raft log.
func EncodeBatch(b *Batch) ([]byte, error) { return nil, errLater }
