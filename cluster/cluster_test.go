package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/fsm"
)

// counters is a table of numbers that transactions increase.
var counters = fsm.Table[uint64]{Name: "counter"}

// increase adds one to a counter, by a read that guards the write.
func increase(name string) func(tx *fsm.Txn) error {
	return func(tx *fsm.Txn) error {
		value, err := counters.Get(tx, name)
		if err != nil {
			return err
		}
		next := uint64(1)
		if value != nil {
			next = *value + 1
		}
		return counters.Put(tx, &next, name)
	}
}

// count reads a counter on a node, after all that was acknowledged.
func (n *testNode) count(name string) uint64 {
	n.f.t.Helper()
	n.ok(n.node.Sync(n.f.ctx()), "Sync")
	value, _, err := counters.Peek(n.node.View(), name)
	n.ok(err, "Peek")
	if value == nil {
		return 0
	}
	return *value
}

// eachLogStore runs a test on both log stores.
func eachLogStore(t *testing.T, run func(t *testing.T, edit func(*Config))) {
	for _, kind := range []string{LogStoreBoltDB, LogStoreWAL} {
		t.Run(kind, func(t *testing.T) { run(t, func(c *Config) { c.LogStore = kind }) })
	}
}

// TestCounters: transactions from all nodes on the same record conflict, run
// again, and none is lost or done twice.
func TestCounters(t *testing.T) {
	eachLogStore(t, func(t *testing.T, edit func(*Config)) {
		f := newCluster(t, 3, edit)
		const callers, rounds = 4, 10
		var running sync.WaitGroup
		for _, n := range f.nodes {
			for range callers {
				running.Go(func() {
					for range rounds {
						if _, err := n.transact(f.ctx(), increase("hot")); err != nil {
							t.Errorf("%s: %v", n.cfg.Name, err)
						}
					}
				})
			}
		}
		running.Wait()
		for _, n := range f.nodes {
			if got := n.count("hot"); got != 3*callers*rounds {
				t.Errorf("%s counts %d", n.cfg.Name, got)
			}
		}
	})
}

// TestErrorOfRun: what run answers is answered, and nothing is proposed.
func TestErrorOfRun(t *testing.T) {
	f := newCluster(t, 1, nil)
	mine := errors.New("mine")
	before := f.nodes[0].node.View().Applied()
	if _, err := f.nodes[0].transact(f.ctx(), func(*fsm.Txn) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("answered %v", err)
	}
	if after := f.nodes[0].node.View().Applied(); after != before {
		t.Errorf("the state went from %d to %d", before, after)
	}
}

// load runs transactions on all running nodes until stop is called, which answers
// how many were acknowledged.
func (f *fixture) load(name string) (stop func() (acked, unknown int64)) {
	var ok, open atomic.Int64
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, n := range f.running() {
		node := n.node
		for range 3 {
			running.Go(func() {
				for ctx.Err() == nil {
					event := f.event()
					within, done := context.WithTimeout(context.Background(), 5*time.Second)
					_, err := node.Transact(within, "load", func(tx *fsm.Txn) error {
						tx.SetEvent(event)
						return increase(name)(tx)
					})
					done()
					f.note(event, err)
					switch {
					case err == nil:
						ok.Add(1)
					case errors.Is(err, ErrUnknown):
						open.Add(1)
					case errors.Is(err, ErrClosed):
						return
					}
				}
			})
		}
	}
	return func() (int64, int64) {
		cancel()
		running.Wait()
		return ok.Load(), open.Load()
	}
}

// TestLeaderGoes: under load the leader is stopped or killed and started again,
// several times; every acknowledged increase is there once.
func TestLeaderGoes(t *testing.T) {
	for _, how := range []string{"stopped", "killed"} {
		t.Run(how, func(t *testing.T) {
			eachLogStore(t, func(t *testing.T, edit func(*Config)) {
				f := newCluster(t, 3, edit)
				var acked, unknown int64
				for round := range 3 {
					stop := f.load("n")
					f.progress(20)
					leader := f.leader()
					if how == "stopped" {
						leader.stop()
					} else {
						leader.kill()
					}
					f.progress(20)
					ok, open := stop()
					acked, unknown = acked+ok, unknown+open
					leader.open()
					if how == "stopped" && open > 0 {
						t.Errorf("round %d: stopping left %d outcomes open", round, open)
					}
				}
				for _, n := range f.nodes {
					if got := int64(n.count("n")); got < acked || got > acked+unknown {
						t.Errorf("%s counts %d, acknowledged %d, unknown %d", n.cfg.Name, got, acked, unknown)
					}
				}
			})
		})
	}
}

// progress waits until a number of further transactions has been acknowledged.
func (f *fixture) progress(count int) {
	f.t.Helper()
	acked := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.acked)
	}
	from := acked()
	f.await(fmt.Sprintf("%d transactions", count), func() error {
		if now := acked(); now < from+count {
			return fmt.Errorf("%d so far", now-from)
		}
		return nil
	})
}

// TestMinority: with two of three nodes gone nothing commits, and the callers are
// told what is known; service returns with the second node.
func TestMinority(t *testing.T) {
	f := newCluster(t, 3, nil)
	left := f.follower()
	for _, n := range f.nodes {
		if n != left {
			n.kill()
		}
	}
	f.await("the node to miss its leader", func() error {
		if left.node.Ready() == nil {
			return errors.New("still ready")
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(f.ctx(), 100*time.Millisecond)
	defer cancel()
	if _, err := left.transact(ctx, nil); !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrUnknown) {
		t.Errorf("a minority answers %v", err)
	}
	for _, n := range f.nodes {
		if n != left {
			n.open()
			break
		}
	}
	if _, err := left.transact(f.ctx(), nil); err != nil {
		t.Errorf("after a second node came: %v", err)
	}
}

// TestRestart: a cluster that was stopped whole, or killed whole, comes back with
// what it acknowledged, under the same names and addresses.
func TestRestart(t *testing.T) {
	eachLogStore(t, func(t *testing.T, edit func(*Config)) {
		f := newCluster(t, 3, edit)
		for round := range 2 {
			for _, n := range f.nodes {
				if _, err := n.transact(f.ctx(), increase("r")); err != nil {
					t.Fatal(err)
				}
			}
			for _, n := range f.nodes {
				if round == 0 {
					n.stop()
				} else {
					n.kill()
				}
			}
			for _, n := range f.nodes {
				n.open()
			}
		}
		if got := f.nodes[0].count("r"); got != 6 {
			t.Errorf("counts %d", got)
		}
	})
}

// TestReadyKnowsWhatIsCommitted: a node that lags after a crash does not call
// itself ready because it hears heartbeats.
func TestReadyKnowsWhatIsCommitted(t *testing.T) {
	f := newCluster(t, 3, nil)
	for range 5 {
		n := f.follower()
		n.kill()
		leader := f.leader()
		for range 3 {
			_, err := leader.transact(f.ctx(), increase("a"))
			leader.ok(err, "transacting")
		}
		n.open()
		f.await("the node to be ready", n.node.Ready)
		if n.node.raft.CommitIndex() == 0 {
			t.Fatal("ready, and it does not know what is committed")
		}
	}
}

// TestNewAddress: a node that comes back under another address is found.
func TestNewAddress(t *testing.T) {
	f := newCluster(t, 3, nil)
	n := f.follower()
	n.stop()
	n.cfg.Listen = freeAddress(t)
	n.cfg.Advertise = n.cfg.Listen
	n.open()
	f.await("the node to be back", func() error { return n.node.Ready() })
	if _, err := n.transact(f.ctx(), nil); err != nil {
		t.Error(err)
	}
	for _, m := range f.leader().node.Status().Members {
		if m.Name == n.cfg.Name && m.Address != n.cfg.Advertise {
			t.Errorf("the configuration has %s", m.Address)
		}
	}
}

// TestSync: what was acknowledged on one node is seen on another after Sync.
func TestSync(t *testing.T) {
	f := newCluster(t, 3, nil)
	for i := range 30 {
		writer, reader := f.nodes[i%3], f.nodes[(i+1)%3]
		if _, err := writer.transact(f.ctx(), increase("s")); err != nil {
			t.Fatal(err)
		}
		if got := reader.count("s"); got != uint64(i+1) {
			t.Fatalf("round %d: %s counts %d", i, reader.cfg.Name, got)
		}
	}
}

// TestDeadline: a transaction whose time is up before it begins does nothing.
func TestDeadline(t *testing.T) {
	f := newCluster(t, 1, nil)
	ctx, cancel := context.WithCancel(f.ctx())
	cancel()
	ran := false
	_, err := f.nodes[0].transact(ctx, func(*fsm.Txn) error { ran = true; return nil })
	if !errors.Is(err, ErrUnavailable) || ran {
		t.Errorf("answered %v, ran %t", err, ran)
	}
}

// TestClosed: a closed node runs nothing.
func TestClosed(t *testing.T) {
	f := newCluster(t, 1, nil)
	node := f.nodes[0].node
	f.nodes[0].stop()
	ran := false
	if _, err := node.Transact(f.ctx(), "c", func(*fsm.Txn) error { ran = true; return nil }); !errors.Is(err, ErrClosed) || ran {
		t.Errorf("answered %v, ran %t", err, ran)
	}
	if err := node.Wait(f.ctx(), 1<<40); !errors.Is(err, ErrClosed) {
		t.Errorf("Wait answers %v", err)
	}
	if err := node.Ready(); !errors.Is(err, ErrClosed) {
		t.Errorf("Ready answers %v", err)
	}
}
