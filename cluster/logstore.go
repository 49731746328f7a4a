package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
	"go.etcd.io/bbolt"
)

// cachedEntries is how many of the newest log entries are kept in memory: what
// replication and application read a moment after they were appended.
const cachedEntries = 256

// raftStores are Raft's log and its stable store.
type raftStores struct {
	logs    raft.LogStore
	stable  raft.StableStore
	closers []io.Closer
}

// The files of raft/: stable.db holds Raft's term and vote, with boltdb the log
// too; wal/ holds the log of raft-wal. The stable store is boltdb's either way:
// raft-wal's own is a bbolt file too, and one place for the vote is enough.
const (
	stableFile = "stable.db"
	walDir     = "wal"
)

// createRaftStores makes empty stores.
func createRaftStores(dir, kind string, logger hclog.Logger) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the Raft directory: %w", err)
	}
	if kind == LogStoreWAL {
		if err := os.Mkdir(filepath.Join(dir, walDir), 0o700); err != nil {
			return fmt.Errorf("making the log directory: %w", err)
		}
	}
	stores, err := connectRaftStores(dir, kind, logger)
	if err != nil {
		return err
	}
	return stores.Close()
}

// openRaftStores opens stores that exist: a node that lost its vote or its log
// could break promises that it made.
func openRaftStores(dir, kind string, logger hclog.Logger) (*raftStores, error) {
	needed := []string{stableFile}
	if kind == LogStoreWAL {
		needed = append(needed, walDir)
	}
	for _, name := range needed {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%w: %s is missing", ErrDamaged, filepath.Join(dir, name))
		}
	}
	return connectRaftStores(dir, kind, logger)
}

func connectRaftStores(dir, kind string, logger hclog.Logger) (*raftStores, error) {
	bolt, err := raftboltdb.New(raftboltdb.Options{
		Path: filepath.Join(dir, stableFile),
		BoltOptions: &bbolt.Options{
			Timeout: time.Second, // another process holds the lock
			// The list of free pages is rebuilt at a start instead of being written
			// with every append; as a map it stays fast when the log has been long.
			NoFreelistSync: true,
			FreelistType:   bbolt.FreelistMapType,
		},
		MsgpackUseNewTimeFormat: true,
	})
	if err != nil {
		return nil, fmt.Errorf("opening Raft's stable store: %w", err)
	}
	stores := &raftStores{logs: bolt, stable: bolt, closers: []io.Closer{bolt}}
	if kind == LogStoreWAL {
		// raft-wal v0.4.0 does not close its metadata, so it is ours to close.
		meta := new(metadb.BoltMetaDB)
		log, err := wal.Open(filepath.Join(dir, walDir), wal.WithLogger(logger.Named("wal")), wal.WithMetaStore(meta))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("opening the Raft log: %w", err), meta.Close(), stores.Close())
		}
		stores.logs = log
		stores.closers = append(stores.closers, log, meta)
	}
	return stores, nil
}

// Close closes the stores.
func (s *raftStores) Close() error {
	var errs []error
	for _, closer := range s.closers {
		errs = append(errs, closer.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing the Raft log: %w", err)
	}
	return nil
}
