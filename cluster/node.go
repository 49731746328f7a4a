package cluster

import (
	"context"
	"crypto/x509"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/cluster/commit"
	"github.com/cofre-kms/cofre/cluster/rpc"
	"github.com/cofre-kms/cofre/cluster/snapshot"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
)

// Node is one running member of a cluster. It is safe for concurrent use. Its
// fields are set by Open and not changed after; what moves has its own type.
type Node struct {
	cfg     Config
	home    home
	who     who
	logger  hclog.Logger
	fate    *fate
	metrics *metrics

	// State.
	store    *fsm.Store
	progress *progress
	disk     *stall
	// followers say how much of the log has to stay.
	followers *followers

	// Raft.
	stores     *RaftStores
	snapshots  *snapshot.Store
	transport  *transport
	raft       *raft.Raft
	leadership *leadership
	proposals  *proposals
	herald     *herald
	leaving    sync.Once
	isolated   chan struct{} // closed once nothing of this node reaches a peer
	// raftStopped is closed once Raft has stopped after the node's end; raftError
	// is set by then.
	raftStopped chan struct{}
	raftError   error

	partition *partition
	notary    *notary // nil where the partition has no key for checkpoints

	// The network.
	credentials *credentials
	port        *port
	peers       *peers
	methods     map[rpc.Method]handler
	joining     chan struct{} // held by each connection of the join protocol
	admitting   chan struct{} // held while a join request is answered

	queue *commit.Queue
	kick  chan struct{} // wakes the overseer

	ctx        context.Context // ends with the node
	stop       context.CancelFunc
	background sync.WaitGroup
}

// View is this node's state, for reads that are not part of a transaction. It
// may be behind; see Sync and Wait.
func (n *Node) View() fsm.View { return n.store }

// Leading says whether this node believes to lead, and closes done when it no
// longer does. What a steward does while it leads are transactions all the
// same, so two believers do no harm.
func (n *Node) Leading() (leading bool, done <-chan struct{}) { return n.leadership.leading() }

// LeaderChanges answers a channel that gets a value, without blocking, whenever
// Leading may have changed. All callers share it.
func (n *Node) LeaderChanges() <-chan bool { return n.leadership.notify }

// Failed answers a channel that gets the error of a node that had to stop: its
// disk failed, another process took its name, or its replica diverged. It is
// cut off from its peers by then, and nothing but a restart brings it back.
func (n *Node) Failed() <-chan error { return n.fate.failed }

// CA is the cluster CA's certificate; it is also in DataDir/tls/ca.pem.
func (n *Node) CA() *x509.Certificate { return n.credentials.authority }

// Generation is the domain key generation for new keys; 0 where this node has no
// state yet.
func (n *Node) Generation() hsm.Generation {
	s, _, err := settingsTable.Peek(n.store, theCluster)
	if err != nil || s == nil {
		return 0
	}
	return s.Generation
}
