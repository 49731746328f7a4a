package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/cluster/commit"
	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/fsm"
)

// wires connect the nodes of a fixture over loopback. One node at a time can be
// cut off.
type wires struct {
	mu    sync.Mutex
	loose string // the address of the node that is cut off, "" where none is
	conns map[*wire]struct{}
}

// wire is a connection that a node has dialed.
type wire struct {
	net.Conn
	wires    *wires
	from, to string
}

// Close implements net.Conn.
func (w *wire) Close() error {
	w.wires.mu.Lock()
	delete(w.wires.conns, w)
	w.wires.mu.Unlock()
	return w.Conn.Close()
}

// cut breaks the connections of a node and refuses new ones, until the next call.
func (w *wires) cut(address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loose = address
	for c := range w.conns {
		if c.from == address || c.to == address {
			c.Conn.Close()
		}
	}
}

// spared marks the context of a dial that comes through although the node is cut
// off.
type spared struct{}

// wiring is the Network of the node at an address.
type wiring struct {
	tcp
	wires *wires
	from  string
}

// Dial implements Network.
func (w wiring) Dial(ctx context.Context, to string) (net.Conn, error) {
	conn, err := w.tcp.Dial(ctx, to)
	if err != nil {
		return nil, err
	}
	w.wires.mu.Lock()
	defer w.wires.mu.Unlock()
	if loose := w.wires.loose; loose != "" && (loose == w.from || loose == to) && ctx.Value(spared{}) == nil {
		conn.Close()
		return nil, errors.New("the node is cut off")
	}
	c := &wire{Conn: conn, wires: w.wires, from: w.from, to: to}
	w.wires.conns[c] = struct{}{}
	return c, nil
}

// sparedStream dials past a cut.
type sparedStream struct{ *stream }

// Dial implements raft.StreamLayer.
func (s sparedStream) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	name, address, _ := strings.Cut(string(to), "@")
	ctx, cancel := context.WithTimeout(context.WithValue(s.port.ctx, spared{}, true), timeout)
	defer cancel()
	return s.port.dial(ctx, pki.ProtocolRaft, name, address)
}

// TestDeposedLeaderStoresNothing cuts a leader off, has another elected, and lets
// the old one hear of it by a heartbeat while it takes commands. It must not store
// a command under the term of the new one: Raft takes two entries of one index and
// term for the same (Ongaro, "Consensus: Bridging Theory and Practice", §3.5, Log
// Matching).
func TestDeposedLeaderStoresNothing(t *testing.T) {
	w := &wires{conns: make(map[*wire]struct{})}
	f := newCluster(t, 3, func(c *Config) {
		c.Network = wiring{wires: w, from: c.Advertise}
		// Time for an election while the old leader still is in office.
		c.Timing.Heartbeat, c.Timing.Election, c.Timing.Lease = time.Second, time.Second, time.Second
	})
	t.Cleanup(func() { w.cut("") })
	stop := f.load("n")
	for round := range uint64(3) {
		f.progress(20)
		old := f.leader()
		w.cut(old.cfg.Advertise)
		successor := f.succeed(old)
		f.herald(successor, old)
		f.forward(old, round+1)
		f.await("the successor's log to be as long", func() error {
			if mine, its := old.node.raft.LastIndex(), successor.node.raft.LastIndex(); its < mine {
				return fmt.Errorf("%d entries of %d", its, mine)
			}
			return nil
		})
		f.matchLogs()
		w.cut("")
		f.await("the old leader to be back", func() error { return old.node.Ready() })
	}
	stop()
	f.matchLogs()
}

// succeed has another node than a leader that is cut off elected, at once: by the
// message with which a leader hands over (Raft §3.10).
func (f *fixture) succeed(old *testNode) (successor *testNode) {
	f.t.Helper()
	var others []*testNode
	for _, n := range f.nodes {
		if n != old {
			others = append(others, n)
		}
	}
	heir, voter := others[0], others[1]
	voter.speak(func(t raft.Transport) error {
		return t.TimeoutNow(raft.ServerID(heir.cfg.Name), raft.ServerAddress(heir.cfg.Advertise),
			&raft.TimeoutNowRequest{RPCHeader: voter.node.herald.self}, new(raft.TimeoutNowResponse))
	})
	f.await("a successor", func() error {
		for _, n := range others {
			if leading, _ := n.node.Leading(); leading {
				successor = n
				return nil
			}
		}
		return errors.New("nobody leads")
	})
	return successor
}

// herald lets a leader that is cut off hear a heartbeat of its successor, and
// nothing else.
func (f *fixture) herald(successor, old *testNode) {
	f.t.Helper()
	successor.speak(func(t raft.Transport) error {
		return t.AppendEntries(raft.ServerID(old.cfg.Name), raft.ServerAddress(old.cfg.Advertise),
			&raft.AppendEntriesRequest{RPCHeader: successor.node.herald.self, Term: successor.node.raft.CurrentTerm()},
			new(raft.AppendEntriesResponse))
	})
}

// speak has a node say something on a connection of its own, past a cut.
func (n *testNode) speak(say func(raft.Transport) error) {
	n.f.t.Helper()
	inner := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:  sparedStream{newStream(n.node.port, n.cfg.Advertise)},
		MaxPool: 1,
		Timeout: patience,
		Logger:  n.node.logger,

		MsgpackUseNewTimeFormat: true,
	})
	defer inner.Close()
	n.ok(say(&transport{NetworkTransport: inner, stalled: func() bool { return false }}), "speaking past the cut")
}

// forward has a node propose a batch, as when another has forwarded it.
func (f *fixture) forward(n *testNode, sequence uint64) {
	f.t.Helper()
	tx, event := fsm.NewTxn(n.node.View()), f.event()
	tx.SetEvent(event)
	command, err := fsm.EncodeBatch(&fsm.Batch{Node: "node-4", Incarnation: 1, Sequence: sequence, Txns: []*fsm.Txn{tx}})
	n.ok(err, "EncodeBatch")
	if _, err = n.node.propose(f.ctx(), command); err != nil && !errors.Is(err, commit.ErrRefused) {
		err = fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	f.note(event, err)
}

// matchLogs compares what the nodes have stored under one index and term.
func (f *fixture) matchLogs() {
	f.t.Helper()
	type position struct{ index, term uint64 }
	type found struct {
		raft.Log
		node string
	}
	logs := make(map[position]found)
	for _, n := range f.running() {
		store := n.node.stores.Logs
		first, err := store.FirstIndex()
		n.ok(err, "FirstIndex")
		last, err := store.LastIndex()
		n.ok(err, "LastIndex")
		for i := first; i <= last; i++ {
			mine := found{node: n.cfg.Name}
			if err := store.GetLog(i, &mine.Log); errors.Is(err, raft.ErrLogNotFound) {
				continue // a leader has cut it off meanwhile
			} else if err != nil {
				n.ok(err, "GetLog")
			}
			at := position{i, mine.Term}
			other, ok := logs[at]
			if ok && (other.Type != mine.Type || !bytes.Equal(other.Data, mine.Data)) {
				f.t.Fatalf("entry %d of term %d is %v %.40x on %s, %v %.40x on %s",
					i, mine.Term, other.Type, other.Data, other.node, mine.Type, mine.Data, mine.node)
			}
			logs[at] = mine
		}
	}
}
