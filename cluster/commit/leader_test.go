package commit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/fsm"
)

const patience = 20 * time.Second

var errLost = errors.New("the connection broke")

// fault is what happens to one proposal.
type fault struct {
	err     error // what the proposer answers; nil: the result
	applied bool  // whether the command reaches the log
}

// leader is a Proposer over a real state machine, with a script of faults: one
// for each proposal, none once it is used up.
type leader struct {
	t     testing.TB
	store *fsm.Store

	mu        sync.Mutex
	index     uint64
	script    []fault
	proposals int
	away      chan struct{} // not nil: nobody leads until it is closed
	gate      chan struct{} // not nil: proposals wait for it
	entered   chan struct{} // gets a value for each proposal that came to the gate
}

func newLeader(t testing.TB, script ...fault) *leader {
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
	return &leader{t: t, store: store, script: script, entered: make(chan struct{}, 100)}
}

// Ready implements Proposer.
func (l *leader) Ready(ctx context.Context) error {
	l.mu.Lock()
	away := l.away
	l.mu.Unlock()
	if away == nil {
		return nil
	}
	select {
	case <-away:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Propose implements Proposer.
func (l *leader) Propose(ctx context.Context, command []byte) (fsm.Result, error) {
	l.mu.Lock()
	gate := l.gate
	l.mu.Unlock()
	if gate != nil {
		l.entered <- struct{}{}
		select {
		case <-gate:
		case <-ctx.Done():
			return fsm.Result{}, ctx.Err()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.proposals++
	next := fault{applied: true}
	if len(l.script) > 0 {
		next, l.script = l.script[0], l.script[1:]
	}
	var result fsm.Result
	if next.applied {
		result = l.apply(command)
	}
	return result, next.err
}

// apply appends a command to the log. The caller holds mu.
func (l *leader) apply(command []byte) fsm.Result {
	l.index++
	results, err := l.store.Apply([]fsm.Entry{{Index: l.index, Command: command}})
	if err != nil {
		l.t.Error(err)
		return fsm.Result{}
	}
	return results[0]
}

// events reads the ledger.
func (l *leader) events() []string {
	l.t.Helper()
	var events []string
	err := l.store.Events(0, func(_ int64, event []byte) (bool, error) {
		events = append(events, string(event))
		return true, nil
	})
	if err != nil {
		l.t.Error(err)
	}
	return events
}

// txn makes a transaction that records an event.
func (l *leader) txn(event string) *fsm.Txn {
	tx := fsm.NewTxn(l.store)
	tx.SetEvent([]byte(event))
	return tx
}

// start starts a queue that is closed when the test ends.
func (l *leader) start(edit func(*Config)) *Queue {
	l.t.Helper()
	cfg := Config{Node: "n1", Incarnation: 1, Proposer: l, Logger: hclog.NewNullLogger()}
	if edit != nil {
		edit(&cfg)
	}
	q := New(cfg)
	l.t.Cleanup(func() { q.Close(expired()) })
	return q
}

func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// await waits until a condition holds.
func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(patience)
	for !condition() {
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("waiting for %s", what)
		}
	}
}

func refused(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }
