package snapshot

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/cluster/intact"
	"github.com/cofre-kms/cofre/fsm"
)

// meta is what Raft knows of a snapshot, as it is kept.
type meta struct {
	Version            int    `cbor:"1,keyasint"`
	Index              uint64 `cbor:"2,keyasint"`
	Term               uint64 `cbor:"3,keyasint"`
	Configuration      []byte `cbor:"4,keyasint"`
	ConfigurationIndex uint64 `cbor:"5,keyasint"`
}

func (m *meta) raft(id string) *raft.SnapshotMeta {
	return &raft.SnapshotMeta{
		Version:            raft.SnapshotVersion(m.Version),
		ID:                 id,
		Index:              m.Index,
		Term:               m.Term,
		Configuration:      raft.DecodeConfiguration(m.Configuration),
		ConfigurationIndex: m.ConfigurationIndex,
	}
}

func (s *Store) read(id string) (*meta, error) {
	path := s.fs.PathJoin(s.dir, id, metaFile)
	sealed, err := s.readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a snapshot's metadata: %w", err)
	}
	b, err := intact.Unseal(path, sealed)
	if err != nil {
		return nil, fmt.Errorf("reading a snapshot's metadata: %w", err)
	}
	m := new(meta)
	if err := fsm.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("decoding a snapshot's metadata, %s: %w", path, err)
	}
	return m, nil
}

// Sink is a snapshot in the making: either written as a stream or given a
// checkpoint by Adopt. It belongs to one goroutine.
type Sink struct {
	store  *Store
	id     string
	dir    string
	meta   meta
	stream vfs.File // nil until something is written
}

// ID implements raft.SnapshotSink.
func (k *Sink) ID() string { return k.id }

// Write implements raft.SnapshotSink: it takes what a leader sends.
func (k *Sink) Write(p []byte) (int, error) {
	if k.stream == nil {
		file, err := k.store.fs.Create(k.store.fs.PathJoin(k.dir, streamFile), vfs.WriteCategoryUnspecified)
		if err != nil {
			return 0, fmt.Errorf("receiving a snapshot: %w", err)
		}
		k.stream = file
	}
	return k.stream.Write(p)
}

// Adopt moves a durable checkpoint at a Scratch path into the snapshot.
func (k *Sink) Adopt(checkpoint string) error {
	if err := k.store.fs.Rename(checkpoint, k.store.fs.PathJoin(k.dir, stateDir)); err != nil {
		return fmt.Errorf("adopting a checkpoint: %w", err)
	}
	return nil
}

// Close implements raft.SnapshotSink. When it returns, the snapshot is durable
// and has its name.
func (k *Sink) Close() error {
	if err := k.finish(); err != nil {
		return errors.Join(fmt.Errorf("finishing a snapshot: %w", err), k.Cancel())
	}
	k.store.reap()
	return nil
}

func (k *Sink) finish() error {
	if k.stream != nil {
		if err := errors.Join(k.stream.Sync(), k.stream.Close()); err != nil {
			return err
		}
	}
	b, err := fsm.Marshal(&k.meta)
	if err != nil {
		return err
	}
	if err := k.store.writeFile(k.store.fs.PathJoin(k.dir, metaFile), intact.Seal(b)); err != nil {
		return err
	}
	// The content is written; a crash before the rename leaves an unfinished
	// snapshot, which Open removes.
	if err := k.store.syncDir(k.dir); err != nil {
		return err
	}
	if err := k.store.fs.Rename(k.dir, k.store.fs.PathJoin(k.store.dir, k.id)); err != nil {
		return err
	}
	// The name is there; until it is durable Raft keeps its log.
	return k.store.syncDir(k.store.dir)
}

// Cancel implements raft.SnapshotSink.
func (k *Sink) Cancel() error {
	if k.stream != nil {
		k.stream.Close() // it goes away below; a second close does no harm
	}
	return k.store.fs.RemoveAll(k.dir)
}
