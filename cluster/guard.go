package cluster

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// guard stands between Raft and its disk: it times writes, and turns a failed
// one into the end of the node. hashicorp/raft panics where a term cannot be
// stored and goes on where an append fails; after a failed fsync nobody knows
// what is on the disk, so here the node first leaves the network and only then
// lets Raft see the error.
type guard struct {
	disk *stall
	fail func(error)
	// isolated is closed once nothing that Raft says reaches a peer any more.
	isolated <-chan struct{}
}

// check ends the node where err is a disk's.
func (g *guard) check(action string, err error) error {
	if err == nil || errors.Is(err, raft.ErrLogNotFound) || plantedGuard {
		return err
	}
	err = fmt.Errorf("%s: %w", action, err)
	g.fail(err)
	<-g.isolated
	return err
}

// guardedLog is a raft.LogStore and raft.MonotonicLogStore behind a guard.
type guardedLog struct {
	raft.LogStore
	guard *guard
	// needs answers the first entry that has to stay when the log ends with last.
	needs func(last uint64) uint64
}

// deleteChunk is how many entries are deleted at a time: a deletion holds appends
// up, and boltdb's takes a time that grows with it.
const deleteChunk = 256

// IsMonotonic implements raft.MonotonicLogStore.
func (l *guardedLog) IsMonotonic() bool {
	store, ok := l.LogStore.(raft.MonotonicLogStore)
	return ok && store.IsMonotonic()
}

// StoreLog implements raft.LogStore.
func (l *guardedLog) StoreLog(log *raft.Log) error { return l.StoreLogs([]*raft.Log{log}) }

// StoreLogs implements raft.LogStore.
func (l *guardedLog) StoreLogs(logs []*raft.Log) error {
	defer l.guard.disk.begin()()
	return l.guard.check("appending to the Raft log", l.LogStore.StoreLogs(logs))
}

// GetLog implements raft.LogStore. An entry that cannot be read any more is
// answered as an empty one, to a node that is cut off already: hashicorp/raft
// would panic.
func (l *guardedLog) GetLog(index uint64, log *raft.Log) error {
	err := l.guard.check("reading the Raft log", l.LogStore.GetLog(index, log))
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		*log = raft.Log{Index: index, Type: raft.LogNoop}
		return nil
	}
	return err
}

// DeleteRange implements raft.LogStore. The head of the log goes in pieces, so
// that appends come between, and as far as nobody needs it; the tail, which
// conflicts with the leader's, goes at once, and so does the whole log where a
// snapshot takes its place.
func (l *guardedLog) DeleteRange(first, last uint64) error {
	oldest, err := l.FirstIndex()
	newest, lastErr := l.LastIndex()
	if err := errors.Join(err, lastErr); err != nil {
		return l.guard.check("reading the Raft log", err)
	}
	if first == oldest && last < newest {
		if last = min(last, l.needs(newest)-1); last < first {
			return nil
		}
	}
	for first == oldest && last-first >= deleteChunk {
		if err := l.LogStore.DeleteRange(first, first+deleteChunk-1); err != nil {
			return l.guard.check("compacting the Raft log", err)
		}
		first += deleteChunk
		oldest = first
	}
	return l.guard.check("shortening the Raft log", l.LogStore.DeleteRange(first, last))
}

// guardedStable is a raft.StableStore behind a guard. A term that could not be
// stored is reported as stored, to a node that is cut off already.
type guardedStable struct {
	raft.StableStore
	guard *guard
}

// Set implements raft.StableStore.
func (s *guardedStable) Set(key, value []byte) error {
	defer s.guard.disk.begin()()
	return s.guard.check("storing Raft's vote", s.StableStore.Set(key, value))
}

// SetUint64 implements raft.StableStore.
func (s *guardedStable) SetUint64(key []byte, value uint64) error {
	defer s.guard.disk.begin()()
	_ = s.guard.check("storing Raft's term", s.StableStore.SetUint64(key, value))
	return nil
}
