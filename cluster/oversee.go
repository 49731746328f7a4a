package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/fsm"
)

// promotable is how many log entries a nonvoter may be behind to become a voter:
// less than a round trip under load.
const promotable = 512

// inquiry asks a member how far its state is, and what it was at an index.
type inquiry struct {
	Index uint64 `cbor:"1,keyasint"`
}

// report answers an inquiry.
type report struct {
	Applied uint64 `cbor:"1,keyasint"`
	// Known says that the rest is what the state was at the inquiry's index.
	Known bool      `cbor:"2,keyasint"`
	Hash  tlog.Hash `cbor:"3,keyasint"`
	Size  int64     `cbor:"4,keyasint"`
	Root  tlog.Hash `cbor:"5,keyasint"`
	// Partition says what is wrong with the member's HSM partition.
	Partition string `cbor:"6,keyasint,omitempty"`
}

func (r *report) status(index uint64) fsm.Status {
	return fsm.Status{Applied: index, StateHash: r.Hash, LedgerSize: r.Size, LedgerRoot: r.Root}
}

// oversee looks after the members, round by round, while this node leads.
func (n *Node) oversee() {
	every(n.ctx, n.cfg.Timing.Watch, n.kick, func() {
		if leading, _ := n.leadership.leading(); !leading || n.fate.check() != nil {
			n.followers.forget()
			return
		}
		own := n.store.Status()
		reports := n.inquire(own.Applied)
		n.followers.note(reports, time.Now())
		n.compare(own, reports)
		n.promote(own.Applied, reports)
		n.expel()
		n.raise()
		n.yield(reports)
	})
}

// inquire asks all other members at once. Those that do not answer in time are
// left out.
func (n *Node) inquire(index uint64) map[string]*report {
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.Timing.Watch)
	defer cancel()
	var (
		mu      sync.Mutex
		asking  sync.WaitGroup
		reports = make(map[string]*report)
	)
	for _, server := range n.others() {
		name := string(server.ID)
		asking.Go(func() {
			r, err := call[report](ctx, n.peers.client(peerKey{name: name}), methodStatus, &inquiry{Index: index})
			if err != nil {
				n.logger.Debug("a member does not report", "name", name, "error", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			reports[name] = r
		})
	}
	asking.Wait()
	return reports
}

// tellStatus answers an inquiry, when the state has come to its index, or half of
// the asker's patience is over: a member that is behind still has a say.
func (n *Node) tellStatus(ctx context.Context, _ pki.Identity, q *inquiry) (*report, error) {
	r := &report{Partition: n.partition.problem()}
	limit := n.cfg.Timing.Watch
	if deadline, bounded := ctx.Deadline(); bounded {
		limit = time.Until(deadline)
	}
	ctx, cancel := context.WithTimeout(ctx, limit/2)
	defer cancel()
	if n.progress.wait(ctx, n.fate.ended, q.Index) == nil {
		if at, known := n.store.HashAt(q.Index); known {
			r.Known, r.Hash, r.Size, r.Root = true, at.StateHash, at.LedgerSize, at.LedgerRoot
		}
	}
	r.Applied = n.store.Applied()
	return r, nil
}

// promote makes voters of nonvoters that have caught up. One that the log does
// not go back to has to be installed first, however little it lacks.
func (n *Node) promote(applied uint64, reports map[string]*report) {
	first, err := n.stores.Logs.FirstIndex()
	if err != nil {
		n.logger.Error("cannot read the Raft log", "error", err)
		return
	}
	for _, server := range n.servers() {
		r := reports[string(server.ID)]
		if server.Suffrage == raft.Voter || r == nil || r.Applied+promotable < applied || r.Applied+1 < first {
			continue
		}
		if err := n.raft.AddVoter(server.ID, server.Address, 0, enrollTimeout).Error(); err != nil {
			n.logger.Warn("cannot promote a member", "name", server.ID, "error", err)
			continue
		}
		n.logger.Info("promoted a member to voter", "name", server.ID)
	}
}
