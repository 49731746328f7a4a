package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	wal "github.com/hashicorp/raft-wal"
	"go.etcd.io/bbolt"

	"github.com/cofre-kms/cofre/cluster/durable"
	"github.com/cofre-kms/cofre/cluster/intact"
)

// cachedEntries is how many of the newest log entries are kept in memory: what
// replication and application read a moment after they were appended.
const cachedEntries = 256

// Disk is where a node keeps what grows: its state, its snapshots and its Raft
// log. Who the node is stays in small files of the operating system.
type Disk interface {
	// FS is the file system of the state and of the snapshots. A file is durable
	// once it and the directory that names it are synced.
	FS() vfs.FS
	// CreateLog makes Raft's stores under a path, empty.
	CreateLog(dir string) error
	// OpenLog opens stores that exist. What a write to them answers is durable.
	OpenLog(dir string) (*RaftStores, error)
}

// RaftStores are Raft's log and its stable store.
type RaftStores struct {
	Logs    raft.LogStore
	Stable  raft.StableStore
	Closers []io.Closer // in the order of closing
}

// files is the Disk of real nodes.
type files struct {
	kind   string // LogStoreBoltDB or LogStoreWAL
	logger hclog.Logger
}

func (files) FS() vfs.FS { return vfs.Default }

// The files of raft/: stable.db holds Raft's term and vote, with boltdb the log
// too; wal/ holds the log of raft-wal; mark says how far both had come. The stable
// store is boltdb's either way: one place for the vote is enough.
const (
	stableFile = "stable.db"
	walDir     = "wal"
	markFile   = "mark"
)

// segmentSize is how much disk raft-wal takes at a time, in bytes. Its own default
// of 64 MiB fills small disks with nothing; with a segment of this size its files
// are renewed every few thousand entries.
const segmentSize = 8 << 20

// CreateLog implements Disk.
func (f files) CreateLog(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the Raft directory: %w", err)
	}
	if f.kind == LogStoreWAL {
		if err := os.Mkdir(filepath.Join(dir, walDir), 0o700); err != nil {
			return fmt.Errorf("making the log directory: %w", err)
		}
	}
	if err := intact.CreateMark(filepath.Join(dir, markFile)); err != nil {
		return fmt.Errorf("making the Raft log: %w", err)
	}
	stores, err := f.connect(dir)
	if err != nil {
		return err
	}
	// The stores sync their files and not the names of them.
	return errors.Join(stores.Close(), durable.SyncDir(dir), durable.SyncDir(filepath.Dir(dir)))
}

// OpenLog implements Disk. A node that lost its vote or its log, or has another
// than it wrote, could break promises that it made.
func (f files) OpenLog(dir string) (*RaftStores, error) {
	needed := []string{stableFile, markFile}
	if f.kind == LogStoreWAL {
		needed = append(needed, walDir)
	}
	for _, name := range needed {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%w: %s is missing", ErrDamaged, filepath.Join(dir, name))
		}
	}
	if err := intact.VerifyBolt(filepath.Join(dir, stableFile)); err != nil {
		return nil, damaged(err)
	}
	stores, err := f.connect(dir)
	if err != nil {
		return nil, damaged(err)
	}
	if err := stores.Logs.(*intact.Log).Complete(); err != nil {
		return nil, errors.Join(damaged(err), stores.Close())
	}
	return stores, nil
}

// damaged calls the data directory damaged where a file has changed.
func damaged(err error) error {
	if errors.Is(err, intact.ErrChanged) && !errors.Is(err, ErrDamaged) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// connect opens the stores, behind their checksums.
func (f files) connect(dir string) (*RaftStores, error) {
	mark, err := intact.OpenMark(filepath.Join(dir, markFile))
	if err != nil {
		return nil, err
	}
	stores := &RaftStores{Closers: []io.Closer{mark}}
	if err := f.connectStores(dir, mark, stores); err != nil {
		return nil, errors.Join(err, stores.Close())
	}
	return stores, nil
}

func (f files) connectStores(dir string, mark *intact.Mark, stores *RaftStores) error {
	path := filepath.Join(dir, stableFile)
	bolt, err := openBolt(path)
	if err != nil {
		return fmt.Errorf("opening Raft's stable store %s: %w", path, err)
	}
	stores.Closers = append(stores.Closers, bolt)
	if stores.Stable, err = intact.OpenStable(bolt, mark, path); err != nil {
		return err
	}
	if f.kind != LogStoreWAL {
		stores.Logs = intact.NewLog(bolt, mark, func(uint64) string { return path })
		return nil
	}
	dir = filepath.Join(dir, walDir)
	filer := intact.NewFiler(dir)
	// Before v0.4.2, raft-wal could not read a log again whose tail had been cut
	// off by a new leader (hashicorp/raft-wal#31), and never let go of its lock.
	log, err := wal.Open(dir, wal.WithLogger(f.logger.Named("wal")), wal.WithSegmentSize(segmentSize),
		wal.WithMetaStore(intact.NewSegments(dir)), wal.WithSegmentFiler(filer))
	if err != nil {
		return fmt.Errorf("opening the Raft log: %w", err)
	}
	stores.Closers = append(stores.Closers, log)
	stores.Logs = intact.NewLog(log, mark, filer.File)
	// raft-wal syncs the name of a segment with its first entries, unless a crash
	// comes between: then it finds the segment and takes the name for durable.
	return durable.SyncDir(dir)
}

func openBolt(path string) (*raftboltdb.BoltStore, error) {
	return raftboltdb.New(raftboltdb.Options{
		Path: path,
		BoltOptions: &bbolt.Options{
			Timeout: time.Second, // another process holds the lock
			// The list of free pages is rebuilt at a start instead of being written
			// with every append; as a map it stays fast when the log has been long.
			NoFreelistSync: true,
			FreelistType:   bbolt.FreelistMapType,
		},
		MsgpackUseNewTimeFormat: true,
	})
}

// Close closes the stores.
func (s *RaftStores) Close() error {
	var errs []error
	for _, closer := range s.Closers {
		errs = append(errs, closer.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing the Raft log: %w", err)
	}
	return nil
}
