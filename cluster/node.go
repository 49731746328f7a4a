package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
)

var errLater = errors.New("cluster: under construction")

// Config configures a Node.
type Config struct {
	// Name is the node's name and Raft server ID.
	Name string
	// DataDir holds state/, raft/, tls/ and the incarnation counter.
	DataDir string
	// Listen and Advertise are host:port of the node port.
	Listen, Advertise string
	// LogStore is "boltdb" or "wal".
	LogStore string
	// Partition is the node's HSM partition.
	Partition hsm.Partition
	// Network is nil for TCP; simulations bring their own.
	Network Network
	// Timing is zero for the shipped timeouts.
	Timing Timing
	Logger hclog.Logger
	// Metrics may be nil.
	Metrics prometheus.Registerer
}

// Network opens the connections between nodes.
type Network interface {
	Listen(addr string) (net.Listener, error)
	Dial(ctx context.Context, addr string) (net.Conn, error)
}

// Timing holds the timeouts of elections and commits.
type Timing struct{}

// Init makes a cluster of one node in an empty data directory: domain key (or
// the one that the partition already holds), cluster CA, node certificate, Raft
// configuration. It then runs the node, commits genesis as one transaction
// together with the cluster's own records, and stops it again. It fails where
// the data directory holds a node already.
func Init(ctx context.Context, cfg Config, genesis func(tx *fsm.Txn) error) error { return errLater }

// Join makes this node a member of the cluster that issued the token: it gets a
// certificate, the CA's certificate, the peers and, into the partition, the
// domain keys. The node takes part once it is opened. It fails where the data
// directory holds a node already. The token is spent by a success.
func Join(ctx context.Context, cfg Config, token string) error { return errLater }

// Node is one running member of a cluster. It is safe for concurrent use.
type Node struct{}

// Open starts the node from its data directory. It returns when the node's port
// is open and its local state readable, not when there is a quorum.
func Open(ctx context.Context, cfg Config) (*Node, error) { return nil, errLater }

// Close hands leadership over where the node has it, lets running transactions
// end until ctx is done, and stops the node.
func (n *Node) Close(ctx context.Context) error { return errLater }

// Transact runs a function over a transaction on this node's view and commits
// what it read, wrote and recorded, as one instant on a quorum. It runs it
// again, on a newer view, while the transaction conflicts. It returns the Raft
// index of the commit, or run's own error (nothing was proposed), or one of the
// package's errors. Caller is the account on whose behalf it runs: one caller
// cannot fill the whole queue. The deadline is ctx's.
func (n *Node) Transact(ctx context.Context, caller string, run func(tx *fsm.Txn) error) (uint64, error) {
	return 0, errLater
}

// View is this node's state, for reads that are not part of a transaction. It
// may be behind; see Sync and Wait.
func (n *Node) View() fsm.View { return nil }

// Wait returns when this node has applied the entry at index.
func (n *Node) Wait(ctx context.Context, index uint64) error { return errLater }

// Sync returns when View includes everything that was acknowledged anywhere
// before the call. Concurrent calls share one round.
func (n *Node) Sync(ctx context.Context) error { return errLater }

// Ready is nil where the node can serve: quorum, caught up, partition alive, not
// diverged. Otherwise it says what is wrong.
func (n *Node) Ready() error { return errLater }

// Leading says whether this node believes to lead, and closes done when it no
// longer does. What a steward does while it leads are transactions all the
// same, so two believers do no harm.
func (n *Node) Leading() (leading bool, done <-chan struct{}) { return false, nil }

// LeaderChanges answers a channel that gets a value, without blocking, whenever
// Leading may have changed.
func (n *Node) LeaderChanges() <-chan bool { return nil }

// Token makes a one-time join token, valid for the given hours, that pins the
// cluster's CA and names this cluster's nodes.
func (n *Node) Token(ctx context.Context, event []byte, hours int) (string, error) {
	return "", errLater
}

// ServerCertificate issues a certificate of the cluster's CA for hosts (names
// and IP addresses), valid for 90 days, with a new key in memory.
func (n *Node) ServerCertificate(ctx context.Context, hosts []string) (*tls.Certificate, error) {
	return nil, errLater
}

// CA is the cluster CA's certificate; it is also in DataDir/tls/ca.pem.
func (n *Node) CA() *x509.Certificate { return nil }

// Generation is the domain key generation for new keys.
func (n *Node) Generation() hsm.Generation { return 0 }

// Status describes the node and the cluster as this node sees it.
type Status struct {
	Name     string     `json:"name"`
	Leader   string     `json:"leader"` // name; empty where none is known
	State    string     `json:"state"`  // Raft's: Leader, Follower, Candidate
	Term     uint64     `json:"term"`
	Commit   uint64     `json:"commitIndex"`
	Last     uint64     `json:"lastLogIndex"`
	FSM      fsm.Status `json:"fsm"`
	Diverged bool       `json:"diverged"`
	Members  []Member   `json:"members"`
	HSM      hsm.Info   `json:"hsm"`
	HSMError string     `json:"hsmError,omitempty"`
}

// Member is a node of the Raft configuration.
type Member struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Voter   bool   `json:"voter"`
}

// Status describes the node.
func (n *Node) Status() Status { return Status{} }
