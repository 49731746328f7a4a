package server

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
)

// Node is what the front end asks of the cluster; *cluster.Node is one.
type Node interface {
	// Transact commits what run read, wrote and recorded as one instant on a
	// quorum, running it again while it conflicts; see cluster.Node.Transact.
	Transact(ctx context.Context, caller string, run func(tx *fsm.Txn) error) (index uint64, err error)
	// View is this node's applied state. It may be behind.
	View() fsm.View
	// Wait returns when View includes the entry at index.
	Wait(ctx context.Context, index uint64) error
	// Sync returns when View includes everything acknowledged before the call.
	Sync(ctx context.Context) error
	// Ready is nil where the node can serve.
	Ready() error
}
