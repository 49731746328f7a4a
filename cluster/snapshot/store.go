// Package snapshot is Raft's snapshot store for a state that is on disk already:
// a snapshot is metadata beside a checkpoint of the state made of hard links. A
// stream of bytes exists only where a follower has to be installed.
//
// It never changes the state. It is safe because a snapshot gets its name after
// all of it is durable, and Raft forgets log entries only after that.
package snapshot

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/fsm"
)

// retain is how many snapshots are kept. Each pins the files that the state no
// longer needs, so they are few.
const retain = 2

// A snapshot is a directory under the store's own, named by its ID:
//
//	ID/meta    what Raft knows of it, CBOR
//	ID/state   a checkpoint of this node's state, or
//	ID/stream  what a leader sent, as fsm.WriteCheckpoint writes it
//
// Names that begin with "tmp-" are unfinished.
const (
	metaFile   = "meta"
	stateDir   = "state"
	streamFile = "stream"
	unfinished = "tmp-"
)

// Store implements raft.SnapshotStore. It is safe for concurrent use.
type Store struct {
	fs     vfs.FS
	dir    string
	logger hclog.Logger

	mu      sync.Mutex
	readers map[string]int // open readers by ID: such snapshots are not removed
	serial  uint64         // makes names unique, over restarts too
}

// Open opens or makes the store in a directory of its own and removes what a
// crash left unfinished.
func Open(fs vfs.FS, dir string, logger hclog.Logger) (*Store, error) {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the snapshot directory: %w", err)
	}
	s := &Store{
		fs:      fs,
		dir:     dir,
		logger:  logger,
		readers: make(map[string]int),
		serial:  uint64(time.Now().UnixNano()),
	}
	// A snapshot is no more durable than the name of the directory that it is in.
	if err := s.syncDir(fs.PathDir(dir)); err != nil {
		return nil, fmt.Errorf("making the snapshot directory: %w", err)
	}
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasPrefix(name, unfinished) {
			if err := fs.RemoveAll(fs.PathJoin(dir, name)); err != nil {
				return nil, fmt.Errorf("removing an unfinished snapshot: %w", err)
			}
		}
	}
	return s, nil
}

// Scratch answers a path that does not exist, on the store's file system, for a
// checkpoint that a Sink may adopt.
func (s *Store) Scratch() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	return s.fs.PathJoin(s.dir, fmt.Sprintf("%s%d", unfinished, s.serial))
}

// Discard removes what a checkpoint that nobody adopted has left at a Scratch
// path. What stays is removed by the next Open.
func (s *Store) Discard(scratch string) { _ = s.fs.RemoveAll(scratch) }

// Create implements raft.SnapshotStore.
func (s *Store) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	sink := &Sink{
		store: s,
		dir:   s.Scratch(),
		meta: meta{
			Version:            int(version),
			Index:              index,
			Term:               term,
			Configuration:      raft.EncodeConfiguration(configuration),
			ConfigurationIndex: configurationIndex,
		},
	}
	if plantedIndex {
		sink.meta.Index++
	}
	sink.id = fmt.Sprintf("%020d-%020d%s", index, term, strings.TrimPrefix(s.fs.PathBase(sink.dir), "tmp"))
	if err := s.fs.MkdirAll(sink.dir, 0o700); err != nil {
		return nil, fmt.Errorf("beginning a snapshot: %w", err)
	}
	return sink, nil
}

// List implements raft.SnapshotStore: the newest first.
func (s *Store) List() ([]*raft.SnapshotMeta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list()
}

// list is List for callers that hold mu.
func (s *Store) list() ([]*raft.SnapshotMeta, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	var list []*raft.SnapshotMeta
	for _, name := range names {
		if strings.HasPrefix(name, unfinished) {
			continue
		}
		m, err := s.read(name)
		if err != nil {
			return nil, err
		}
		list = append(list, m.raft(name))
	}
	slices.SortFunc(list, newestFirst)
	return list, nil
}

func newestFirst(a, b *raft.SnapshotMeta) int {
	switch {
	case a.Index != b.Index:
		return compare(b.Index, a.Index)
	case a.Term != b.Term:
		return compare(b.Term, a.Term)
	}
	return strings.Compare(b.ID, a.ID)
}

func compare(a, b uint64) int {
	if a < b {
		return -1
	}
	return 1
}

// Open implements raft.SnapshotStore. Size is exact: Raft sends it ahead of the
// stream, so a checkpoint is read once to count its bytes.
func (s *Store) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.hold(id)
	m, reader, err := s.open(id)
	if err != nil {
		s.release(id)
		return nil, nil, fmt.Errorf("opening snapshot %s: %w", id, err)
	}
	return m, &heldReader{ReadCloser: reader, release: func() { s.release(id) }}, nil
}

func (s *Store) open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	stored, err := s.read(id)
	if err != nil {
		return nil, nil, err
	}
	m := stored.raft(id)
	if file, err := s.fs.Open(s.fs.PathJoin(s.dir, id, streamFile)); err == nil {
		info, err := file.Stat()
		if err != nil {
			file.Close()
			return nil, nil, err
		}
		m.Size = info.Size()
		return m, file, nil
	}
	state := s.fs.PathJoin(s.dir, id, stateDir)
	var size counter
	if err := fsm.WriteCheckpoint(s.fs, state, &size); err != nil {
		return nil, nil, err
	}
	m.Size = int64(size)
	r, w := io.Pipe()
	go func() { w.CloseWithError(fsm.WriteCheckpoint(s.fs, state, w)) }()
	return m, r, nil
}

func (s *Store) names() ([]string, error) {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return nil, fmt.Errorf("listing snapshots: %w", err)
	}
	return names, nil
}
