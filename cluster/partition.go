package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/hsm"
)

// checkTimeout bounds a check of the partition.
const checkTimeout = 5 * time.Second

// partition is what is known of the health of this node's HSM partition. A call
// that finds the device dead opens the breaker at once; a check that succeeds
// closes it.
type partition struct {
	hsm.Partition

	mu  sync.Mutex
	err error // nil where it is healthy
}

func (p *partition) check() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// problem is the error as text, "" where there is none.
func (p *partition) problem() string {
	if err := p.check(); err != nil {
		return err.Error()
	}
	return ""
}

func (p *partition) set(err error) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed = (err == nil) != (p.err == nil)
	p.err = err
	return changed
}

// watchPartition checks the partition, at once and then at an interval.
func (n *Node) watchPartition() {
	n.checkPartition()
	every(n.ctx, n.cfg.Timing.Check, nil, n.checkPartition)
}

func (n *Node) checkPartition() {
	ctx, cancel := context.WithTimeout(n.ctx, checkTimeout)
	defer cancel()
	err := n.partition.Partition.Check(ctx)
	if err != nil && n.ctx.Err() != nil {
		return // the node is closing
	}
	if !n.partition.set(err) {
		return
	}
	if err != nil {
		n.logger.Error("the HSM partition does not work", "error", err)
	} else {
		n.logger.Info("the HSM partition works again")
	}
}

// yield hands leadership to a member whose partition works, where this node's
// does not: the steward's work is the leader's, and needs one.
func (n *Node) yield(reports map[string]*report) {
	if n.partition.check() == nil {
		return
	}
	var best *raft.Server
	var applied uint64
	for _, server := range n.servers() {
		r := reports[string(server.ID)]
		if server.Suffrage != raft.Voter || r == nil || r.Partition != "" || r.Applied < applied {
			continue
		}
		best, applied = &server, r.Applied
	}
	if best == nil {
		return
	}
	n.logger.Warn("handing leadership over: the HSM partition does not work", "to", best.ID)
	n.raft.LeadershipTransferToServer(best.ID, best.Address)
}
