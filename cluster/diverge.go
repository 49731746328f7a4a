package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cofre-kms/cofre/cluster/durable"
	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/fsm"
)

// verdict is which replicas have diverged.
type verdict struct {
	diverged []string
	// certain says that a majority of the voters agree, so that the others are
	// wrong. Where there is none, nobody knows who is right, and all are condemned.
	certain bool
}

// judgeReplicas compares what replicas were at one index. Only voters count for
// a majority.
func judgeReplicas(voters []string, replicas map[string]fsm.Status) verdict {
	votes := make(map[fsm.Status]int)
	for name, status := range replicas {
		if slices.Contains(voters, name) {
			votes[status]++
		} else {
			votes[status] += 0
		}
	}
	if len(votes) < 2 {
		return verdict{}
	}
	var v verdict
	for name, status := range replicas {
		if votes[status] <= len(voters)/2 {
			v.diverged = append(v.diverged, name)
		} else {
			v.certain = true
		}
	}
	slices.Sort(v.diverged)
	return v
}

// condemnation tells a replica that it has diverged.
type condemnation struct {
	Index   uint64 `cbor:"1,keyasint"`
	Certain bool   `cbor:"2,keyasint"`
}

// compare looks for replicas that differ from the others at an index, and tells
// them: a node that has diverged answers nothing more.
func (n *Node) compare(own fsm.Status, reports map[string]*report) {
	replicas := map[string]fsm.Status{n.who.Name: own}
	for name, r := range reports {
		if r.Known {
			replicas[name] = r.status(own.Applied)
		}
	}
	v := judgeReplicas(n.voterNames(), replicas)
	if len(v.diverged) == 0 || plantedDivergence {
		return
	}
	n.logger.Error("replicas differ", "index", own.Applied, "diverged", v.diverged, "certain", v.certain,
		"replicas", fmt.Sprintf("%+v", replicas))
	sentence := &condemnation{Index: own.Applied, Certain: v.certain}
	for _, name := range v.diverged {
		if name != n.who.Name {
			n.condemn(name, sentence)
		}
	}
	if slices.Contains(v.diverged, n.who.Name) {
		ctx, cancel := context.WithTimeout(n.ctx, n.cfg.Timing.Watch)
		defer cancel()
		n.handOver(ctx)
		n.diverge(sentence)
	}
}

// condemn tells another replica. The answer is often lost, since the other leaves
// the network at once.
func (n *Node) condemn(name string, sentence *condemnation) {
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.Timing.Watch)
	defer cancel()
	if _, err := call[nothing](ctx, n.peers.client(peerKey{name: name}), methodCondemn, sentence); err != nil {
		n.logger.Warn("told a replica that it has diverged", "name", name, "error", err)
	}
}

// takeCondemnation is the other side of condemn.
func (n *Node) takeCondemnation(_ context.Context, _ pki.Identity, sentence *condemnation) (*nothing, error) {
	n.diverge(sentence)
	return &nothing{}, nil
}

// diverge ends this node. Where it is certain that this replica is the wrong one
// it does not come back either: Open refuses a data directory with the mark.
func (n *Node) diverge(sentence *condemnation) {
	err := fmt.Errorf("%w at index %d", ErrDiverged, sentence.Index)
	if sentence.Certain {
		text := fmt.Sprintf("found on %s, at index %d\n", time.Now().UTC().Format(time.RFC3339), sentence.Index)
		if err := durable.WriteFile(n.home.divergedFile(), []byte(text), 0o600); err != nil {
			n.logger.Error("cannot mark the data directory as diverged", "error", err)
		}
	}
	n.fail(err)
}
