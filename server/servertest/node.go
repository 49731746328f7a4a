// Package servertest is a cluster of one for tests of the services: a real
// fsm.Store in memory to which transactions are applied at once. It has no Raft,
// no network and no HSM, and nothing but tests imports it.
package servertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
)

// Node is a cluster of one. It implements server.Node and is safe for concurrent
// use. Fields other than Store are set before it is used, or under no load.
type Node struct {
	Store *fsm.Store
	// Before, where set, is called before a transaction is committed: a change
	// that it makes conflicts. It may call Transact.
	Before func()
	// Fail, where set, decides the outcome of a transaction: with before, nothing
	// is committed and Transact answers it; with after, it is committed and
	// Transact answers after all the same.
	Fail func() (before, after error)
	// SyncError is what Sync answers, ReadyError what Ready answers.
	SyncError, ReadyError error

	mu    sync.Mutex
	index uint64
	syncs int
	runs  int
}

// New makes a node that the end of the test closes.
func New(t testing.TB) *Node {
	t.Helper()
	store, err := fsm.Open(fsm.Config{Dir: "state", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Node{Store: store}
}

// errConflicts is returned when a transaction conflicts again and again.
var errConflicts = errors.New("servertest: a transaction conflicted 100 times")

// Transact implements server.Node.
func (n *Node) Transact(ctx context.Context, _ string, run func(tx *fsm.Txn) error) (uint64, error) {
	for range 100 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		tx := fsm.NewTxn(n.Store)
		n.count(&n.runs)
		if err := run(tx); err != nil {
			return 0, err
		}
		if n.Before != nil {
			n.Before()
		}
		index, outcome, err := n.commit(tx)
		if err != nil || outcome == fsm.Committed {
			return index, err
		}
	}
	return 0, errConflicts
}

func (n *Node) commit(tx *fsm.Txn) (uint64, fsm.Outcome, error) {
	var before, after error
	if n.Fail != nil {
		before, after = n.Fail()
	}
	if before != nil {
		return 0, 0, before
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.index++
	command, err := fsm.EncodeBatch(&fsm.Batch{
		Node: "test", Incarnation: 1, Sequence: n.index, Settled: n.index - 1, Txns: []*fsm.Txn{tx},
	})
	if err != nil {
		return 0, 0, err
	}
	results, err := n.Store.Apply([]fsm.Entry{{Index: n.index, Command: command}})
	if err == nil {
		err = results[0].Err
	}
	if err != nil {
		return 0, 0, fmt.Errorf("servertest: applying: %w", err)
	}
	return n.index, results[0].Outcomes[0], after
}

// View implements server.Node.
func (n *Node) View() fsm.View { return n.Store }

// Wait implements server.Node: everything is applied at once.
func (n *Node) Wait(context.Context, uint64) error { return nil }

// Sync implements server.Node.
func (n *Node) Sync(context.Context) error {
	n.count(&n.syncs)
	return n.SyncError
}

// Ready implements server.Node.
func (n *Node) Ready() error { return n.ReadyError }

// Syncs is how often Sync was called, Runs how often a transaction was run.
func (n *Node) Syncs() int { return n.read(&n.syncs) }

// Runs is how often a transaction was run, conflicts included.
func (n *Node) Runs() int { return n.read(&n.runs) }

func (n *Node) count(counter *int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	*counter++
}

func (n *Node) read(counter *int) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return *counter
}

// Events answers all ledger records, decoded.
func (n *Node) Events(t testing.TB) []ledger.Event {
	t.Helper()
	var events []ledger.Event
	for _, raw := range n.RawEvents(t) {
		var event ledger.Event
		if err := json.Unmarshal([]byte(raw), &event); err != nil {
			t.Fatalf("a ledger record is no event: %v\n%s", err, raw)
		}
		events = append(events, event)
	}
	return events
}

// RawEvents answers all ledger records as they are.
func (n *Node) RawEvents(t testing.TB) []string {
	t.Helper()
	var events []string
	err := n.Store.Events(0, func(_ int64, event []byte) (bool, error) {
		events = append(events, string(event))
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return events
}
