package cluster

import (
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/cluster/snapshot"
	"github.com/cofre-kms/cofre/fsm"
)

// machine is the state machine as Raft sees it. Its methods belong to Raft's FSM
// goroutine.
type machine struct {
	store     *fsm.Store
	snapshots *snapshot.Store
	progress  *progress
	disk      *stall
	// observe takes every result, committed the index and term of the last entry of
	// a batch and how many commands it holds. They must not block.
	observe   func(fsm.Result)
	committed func(last *raft.Log, commands int)
	// fail stops the node: what the store holds is not known any more.
	fail func(error)

	seen   uint64 // index of the last entry that Raft showed
	failed error  // set once; nothing is applied after it
}

// Apply implements raft.FSM.
func (m *machine) Apply(log *raft.Log) any { return m.ApplyBatch([]*raft.Log{log})[0] }

// ApplyBatch implements raft.BatchingFSM. Each answer is an fsm.Result, or an
// error after which nobody knows what was applied here.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	defer m.disk.begin()()
	answers := make([]any, len(logs))
	for from := 0; from < len(logs) && m.failed == nil; {
		to := from
		for to < len(logs) && logs[to].Type == raft.LogCommand {
			to++
		}
		m.commands(logs[from:to], answers[from:to])
		if to < len(logs) {
			m.skip(logs[to].Index)
			to++
		}
		from = to
	}
	if m.failed != nil {
		for i := range answers {
			answers[i] = m.failed
		}
		return answers
	}
	last := logs[len(logs)-1]
	m.seen = last.Index
	m.progress.advance(m.store.Applied())
	commands := 0
	for _, answer := range answers {
		if result, ok := answer.(fsm.Result); ok {
			m.observe(result)
			commands++
		}
	}
	m.committed(last, commands)
	return answers
}

// errReplayed is answered for an entry that the state holds already, which is so
// while Raft replays after a start. The store does not know its outcome any more.
var errReplayed = errors.New("cluster: the entry was applied before")

// commands applies entries that hold commands.
func (m *machine) commands(logs []*raft.Log, answers []any) {
	if len(logs) == 0 {
		return
	}
	applied := m.store.Applied()
	entries := make([]fsm.Entry, len(logs))
	for i, log := range logs {
		entries[i] = fsm.Entry{Index: log.Index, Command: log.Data}
	}
	results, err := m.store.Apply(entries)
	if err != nil {
		m.stop(fmt.Errorf("applying entries: %w", err))
		return
	}
	for i := range results {
		if entries[i].Index <= applied {
			answers[i] = errReplayed
		} else {
			answers[i] = results[i]
		}
	}
}

// skip passes over an entry of Raft's own.
func (m *machine) skip(index uint64) {
	if m.failed != nil || index <= m.store.Applied() {
		return
	}
	if err := m.store.Skip(index); err != nil {
		m.stop(fmt.Errorf("skipping an entry: %w", err))
	}
}

func (m *machine) stop(err error) {
	m.failed = err
	m.fail(err)
}

// Snapshot implements raft.FSM. A state that is ahead of what Raft has shown,
// which it is while Raft replays after a start, would get the wrong index.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	if m.failed != nil {
		return nil, m.failed
	}
	if m.seen < m.store.Applied() {
		return nil, raft.ErrNothingNewToSnapshot
	}
	// A flush may take long on a disk that is well, so it is not watched: a disk
	// that hangs makes the log hang too.
	dir := m.snapshots.Scratch()
	if _, err := m.store.Checkpoint(dir); err != nil {
		return nil, fmt.Errorf("making a checkpoint: %w", err)
	}
	// The state is durable here and in dir. A crash leaves dir as an unfinished
	// snapshot.
	return &checkpoint{snapshots: m.snapshots, dir: dir}, nil
}

// Restore implements raft.FSM.
func (m *machine) Restore(source io.ReadCloser) error {
	defer source.Close()
	if m.failed != nil {
		return m.failed
	}
	if err := m.store.Restore(source); err != nil {
		return fmt.Errorf("installing a snapshot: %w", err)
	}
	m.seen = m.store.Applied()
	m.progress.advance(m.store.Applied())
	return nil
}

// checkpoint is a raft.FSMSnapshot: a checkpoint that waits for its metadata.
type checkpoint struct {
	snapshots *snapshot.Store
	dir       string
}

// Persist implements raft.FSMSnapshot.
func (c *checkpoint) Persist(sink raft.SnapshotSink) error {
	own, ok := sink.(*snapshot.Sink)
	if !ok {
		return errors.New("cluster: the snapshot store is not ours")
	}
	return own.Adopt(c.dir)
}

// Release implements raft.FSMSnapshot.
func (c *checkpoint) Release() { c.snapshots.Discard(c.dir) }
