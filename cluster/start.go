package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/cluster/commit"
	"github.com/cofre-kms/cofre/cluster/pki"
)

// startTransport makes Raft's transport and says who takes which connections.
// Nothing is accepted yet.
func (n *Node) startTransport(context.Context) error {
	stream := newStream(n.port, n.cfg.Advertise)
	n.transport = &transport{
		NetworkTransport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Logger:  newCalm(n.logger.Named("transport")),
			Stream:  stream,
			MaxPool: 3,
			Timeout: 10 * n.cfg.Timing.Heartbeat,

			MsgpackUseNewTimeFormat: true,
		}),
		stalled: n.disk.stalled,
	}
	n.port.handlers = map[string]func(context.Context, net.Conn, tls.ConnectionState){
		pki.ProtocolRaft: func(_ context.Context, conn net.Conn, _ tls.ConnectionState) { stream.deliver(conn) },
		pki.ProtocolNode: n.serveNode,
		pki.ProtocolJoin: n.serveJoin,
	}
	return nil
}

// session is the name under which the state machine counts this node's batches.
// It is the member's and not the node's: incarnations follow the clock, and who
// gets the name of a member whose clock was ahead must not look like its past.
func (w who) session() string { return w.Name + "/" + w.Member }

// startQueue begins a new incarnation of the node's batches.
func (n *Node) startQueue(context.Context) error {
	incarnation, err := n.home.incarnate(time.Now())
	if err != nil {
		return err
	}
	n.queue = commit.New(commit.Config{
		Node:        n.who.session(),
		Incarnation: incarnation,
		Proposer:    proposer{n},
		Level:       n.Level,
		Window:      n.cfg.Limits.Window,
		MaxWaiting:  n.cfg.Limits.Waiting,
		Logger:      n.logger.Named("commit"),
		Fenced:      n.fail,
		Resolved:    n.metrics.resolved,
	})
	return nil
}

// startRaft starts Raft on the node's stores, behind their guards.
func (n *Node) startRaft(context.Context) error {
	guard := &guard{disk: n.disk, fail: n.fail, isolated: n.isolated}
	logs, err := raft.NewLogCache(cachedEntries, &guardedLog{
		LogStore: n.stores.Logs, guard: guard,
		needs: func(last uint64) uint64 { return n.followers.needs(last, n.cfg.Limits.HeldEntries) },
	})
	if err != nil {
		return fmt.Errorf("caching the Raft log: %w", err)
	}
	n.herald = n.newHerald()
	machine := &machine{
		store:     n.store,
		snapshots: n.snapshots,
		progress:  n.progress,
		disk:      n.disk,
		observe:   n.queue.Observe,
		committed: n.announce,
		fail:      n.fail,
	}
	stable := &guardedStable{StableStore: n.stores.Stable, guard: guard}
	n.raft, err = raft.NewRaft(n.raftConfig(), machine, logs, stable, n.snapshots, n.transport)
	if err != nil {
		return fmt.Errorf("starting Raft: %w", err)
	}
	return nil
}

func (n *Node) newHerald() *herald {
	return &herald{
		self: raft.RPCHeader{
			ProtocolVersion: raft.ProtocolVersionMax,
			ID:              []byte(n.who.Name),
			Addr:            []byte(n.cfg.Advertise),
		},
		transport: n.transport,
		peers:     n.others,
		leads:     n.leads,
		busy:      make(map[raft.ServerID]bool),
	}
}

// leads says whether this node leads in a term. Raft's FSM goroutine asks, which
// runs before n.raft is set; leadership is known only after.
func (n *Node) leads(term uint64) bool {
	leading, _ := n.leadership.leading()
	return leading && n.raft.CurrentTerm() == term
}

// announce has followers told what is committed, unless other commands are on
// their way to them.
func (n *Node) announce(last *raft.Log, commands int) {
	if n.proposals.count() <= commands {
		n.herald.announce(last.Index, last.Term)
	}
}

func (n *Node) raftConfig() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(n.who.Name)
	c.HeartbeatTimeout = n.cfg.Timing.Heartbeat
	c.ElectionTimeout = n.cfg.Timing.Election
	c.LeaderLeaseTimeout = n.cfg.Timing.Lease
	c.CommitTimeout = n.cfg.Timing.Commit
	c.SnapshotInterval = n.cfg.Timing.Snapshot
	c.SnapshotThreshold = n.cfg.Limits.SnapshotEntries
	c.TrailingLogs = n.cfg.Limits.TrailingEntries
	c.NoSnapshotRestoreOnStart = true // the store recovers by itself
	c.NoLegacyTelemetry = true
	c.ShutdownOnRemove = false
	c.Logger = newCalm(n.logger.Named("raft"))
	return c
}

// startWork starts what runs beside Raft for as long as the node lives.
func (n *Node) startWork() {
	n.port.running.Go(n.port.serve)
	n.metrics.watch(n)
	n.background.Go(func() { n.leadership.follow(n.ctx, n.raft) })
	n.background.Go(func() {
		<-n.fate.ended
		n.raftError = n.stopRaft()
		close(n.raftStopped)
	})
	for _, work := range []func(){n.enroll, n.oversee, n.keepLevel, n.watchPartition, n.keepCertificate, n.keepVoice, n.publish} {
		n.background.Go(work)
	}
}
