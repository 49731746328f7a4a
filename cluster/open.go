package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cofre-kms/cofre/cluster/intact"
	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/cluster/rpc"
	"github.com/cofre-kms/cofre/cluster/snapshot"
	"github.com/cofre-kms/cofre/fsm"
)

// Open starts the node from its data directory. It returns when the node's port
// is open and its local state readable, not when there is a quorum.
func Open(ctx context.Context, cfg Config) (*Node, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	n := newNode(cfg)
	// Each step leaves in n what it opened, so that release closes just that.
	for _, step := range []func(context.Context) error{
		n.identify, n.openState, n.openLog, n.recover, n.qualify, n.openNotary, n.certify, n.openPort,
		n.startTransport, n.startQueue, n.startRaft,
	} {
		if err := step(ctx); err != nil {
			n.fate.end(nil)
			return nil, errors.Join(fmt.Errorf("opening the node: %w", err), n.release())
		}
	}
	n.startWork()
	return n, nil
}

func newNode(cfg Config) *Node {
	n := &Node{
		cfg:       cfg,
		home:      home{cfg.DataDir},
		logger:    cfg.Logger.Named("cluster"),
		fate:      newFate(),
		disk:      newStall(cfg.Timing.Stall),
		followers: newFollowers(absentRounds * cfg.Timing.Watch),
		partition: &partition{Partition: cfg.Partition},
		proposals: newProposals(),
		isolated:  make(chan struct{}),
		joining:   make(chan struct{}, maxJoining),
		admitting: make(chan struct{}, 1),
		kick:      make(chan struct{}, 1),

		raftStopped: make(chan struct{}),
	}
	n.ctx, n.stop = context.WithCancel(context.Background())
	n.metrics = newMetrics(n)
	n.leadership = newLeadership(n.metrics.leaders.Inc)
	n.methods = n.handlers()
	n.peers = &peers{dial: n.dialPeer, clients: make(map[peerKey]*rpc.Client)}
	return n
}

// identify reads who the node is.
func (n *Node) identify(context.Context) (err error) {
	if n.who, err = n.home.load(n.cfg); err != nil {
		return err
	}
	n.credentials, err = loadCredentials(n.home.tls())
	return err
}

func (n *Node) openState(context.Context) (err error) {
	if n.store, err = fsm.Open(fsm.Config{Dir: n.home.state(), FS: n.cfg.Disk.FS()}); err != nil {
		return err
	}
	n.progress = newProgress(n.store.Applied())
	return nil
}

func (n *Node) openLog(context.Context) (err error) {
	if n.stores, err = n.cfg.Disk.OpenLog(n.home.raft()); err != nil {
		return err
	}
	n.snapshots, err = snapshot.Open(n.cfg.Disk.FS(), n.home.snapshots(), n.logger)
	return err
}

// recover brings the state up to the newest snapshot, where a crash came between
// the receiving of one and its installation. Raft replays only what is newer.
func (n *Node) recover(context.Context) error {
	list, err := n.snapshots.List()
	if err != nil {
		return damaged(err)
	}
	var newest uint64
	if len(list) > 0 {
		newest = list[0].Index
	}
	if err := n.continuous(newest); err != nil {
		return err
	}
	if n.store.Applied() >= newest {
		return nil
	}
	n.logger.Info("installing the newest snapshot", "id", list[0].ID)
	_, source, err := n.snapshots.Open(list[0].ID)
	if err != nil {
		return err
	}
	defer source.Close()
	if err := n.store.Restore(source); err != nil {
		return fmt.Errorf("installing the newest snapshot: %w", err)
	}
	n.progress.advance(n.store.Applied())
	return nil
}

// continuous is nil where the newest snapshot, the log and the state go on from
// each other. Raft panics where its log begins behind the snapshot.
func (n *Node) continuous(newest uint64) error {
	first, err := n.stores.Logs.FirstIndex()
	last, lastErr := n.stores.Logs.LastIndex()
	if err := errors.Join(err, lastErr); err != nil {
		return fmt.Errorf("reading the Raft log: %w", err)
	}
	last = max(last, newest)
	if first > newest+1 {
		return fmt.Errorf("%w: the Raft log begins at index %d, the newest snapshot is at %d", ErrDamaged, first, newest)
	}
	if applied := n.store.Applied(); applied > last {
		return fmt.Errorf("%w: the state is at index %d, the Raft log ends at %d", ErrDamaged, applied, last)
	}
	// Snapshots leave so little of a log that all of it is read, however long the
	// node has lived.
	if log, ok := n.stores.Logs.(*intact.Log); ok {
		return damaged(log.Verify(newest))
	}
	return nil
}

// certify makes sure that the node has a certificate that its peers accept. This
// node's own partition can issue one, however long the node was down.
func (n *Node) certify(ctx context.Context) error {
	if n.credentials.valid(time.Now()) {
		return nil
	}
	return n.renew(ctx, n.cfg.Partition)
}

func (n *Node) openPort(context.Context) error {
	listener, err := n.cfg.Network.Listen(n.cfg.Listen)
	if err != nil {
		return fmt.Errorf("opening the node port: %w", err)
	}
	if n.cfg.Advertise == "" {
		n.cfg.Advertise = listener.Addr().String()
	}
	n.port = &port{
		listener: listener,
		endpoint: &pki.Endpoint{
			Authority:   n.credentials.authority,
			Certificate: n.credentials.current.Load,
			Allow:       n.allow,
			Now:         time.Now,
		},
		network: n.cfg.Network,
		conns:   newConns(),
		logger:  n.logger,
	}
	n.port.ctx, n.port.stop = context.WithCancel(n.ctx)
	return nil
}

// allow refuses a peer that was removed, or whose name belongs to a later member
// now.
func (n *Node) allow(peer pki.Identity) error {
	m, _, err := memberTable.Peek(n.store, peer.Name)
	if err != nil {
		return fmt.Errorf("looking up a peer: %w", err)
	}
	return m.permits(peer)
}

// permits is nil where a node with this record, nil where there is none, talks to
// a peer. One that was admitted after the record was written is welcome: its
// certificate shows that the cluster admitted it, and this node is behind. It
// may need that very peer for a quorum, without which it stays behind for ever.
func (m *member) permits(peer pki.Identity) error {
	switch {
	case m == nil, peer.Member > m.ID:
		return nil
	case peer.Member < m.ID:
		return fmt.Errorf("%w: %s was admitted anew", pki.ErrWrongNode, peer.Name)
	case m.Removed != 0 && !plantedMember:
		return fmt.Errorf("%w: %s was removed", pki.ErrWrongNode, peer.Name)
	}
	return nil
}
