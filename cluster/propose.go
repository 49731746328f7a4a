package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cofre-kms/cofre/cluster/commit"
	"github.com/cofre-kms/cofre/cluster/pki"
	"github.com/cofre-kms/cofre/cluster/rpc"
	"github.com/cofre-kms/cofre/fsm"
)

// enqueueTimeout bounds how long Raft's main loop may leave a command untaken.
const enqueueTimeout = time.Second

// proposer is the commit.Proposer of a node: it knows who leads.
type proposer struct{ node *Node }

// Ready implements commit.Proposer.
func (p proposer) Ready(ctx context.Context) error { return p.node.leadership.await(ctx) }

// Propose implements commit.Proposer. It gives up, with the outcome open, when
// another leader appears.
func (p proposer) Propose(ctx context.Context, command []byte) (fsm.Result, error) {
	n := p.node
	view, changed := n.leadership.current()
	switch {
	case view.leading:
		return n.propose(ctx, command)
	case !view.known():
		return fsm.Result{}, fmt.Errorf("%w: no leader is known", commit.ErrRefused)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-changed:
			cancel()
		case <-ctx.Done():
		}
	}()
	n.metrics.forwards.Inc()
	answer, err := n.peers.client(peerKey{name: view.name}).Call(ctx, methodPropose, command)
	switch {
	case err == nil:
		return decodeResult(answer)
	case errors.Is(err, rpc.ErrNotSent), rpc.Refused(err, codeNotLeader):
		return fsm.Result{}, fmt.Errorf("%w: %w", commit.ErrRefused, err)
	}
	return fsm.Result{}, fmt.Errorf("forwarding a batch: %w", err)
}

// takeProposal is the leader's side of a forwarded batch.
func (n *Node) takeProposal(ctx context.Context, _ pki.Identity, command []byte) ([]byte, error) {
	result, err := n.propose(ctx, command)
	switch {
	case errors.Is(err, commit.ErrRefused):
		return nil, errNotLeader
	case err != nil:
		return nil, err
	}
	return encodeResult(result)
}

// propose has the local Raft commit a command. ErrRefused means that Raft did
// not take it; after any other error it may have.
func (n *Node) propose(ctx context.Context, command []byte) (fsm.Result, error) {
	if err := n.permitted(command); err != nil {
		return fsm.Result{}, fmt.Errorf("%w: %w", commit.ErrRefused, err)
	}
	if !n.proposals.begin() {
		return fsm.Result{}, fmt.Errorf("%w: the node is closing", commit.ErrRefused)
	}
	future := n.raft.Apply(command, enqueueTimeout)
	done := make(chan error, 1)
	go func() {
		defer n.proposals.end()
		done <- future.Error()
	}()
	select {
	case err := <-done:
		return judge(future, err)
	case <-ctx.Done():
		return fsm.Result{}, ctx.Err()
	}
}

// judge reads the outcome of a command that Raft has answered. hashicorp/raft
// answers ErrNotLeader, ErrLeadershipTransferInProgress and ErrEnqueueTimeout
// before it takes a command. ErrLeadershipLost, ErrAbortedByRestore,
// ErrRaftShutdown and a failed append leave open what becomes of it.
func judge(future raft.ApplyFuture, err error) (fsm.Result, error) {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress),
		errors.Is(err, raft.ErrEnqueueTimeout),
		plantedRefused && errors.Is(err, raft.ErrLeadershipLost):
		return fsm.Result{}, fmt.Errorf("%w: %w", commit.ErrRefused, err)
	case err != nil:
		return fsm.Result{}, fmt.Errorf("committing a batch: %w", err)
	}
	switch answer := future.Response().(type) {
	case fsm.Result:
		return answer, nil
	case error:
		return fsm.Result{}, answer
	}
	return fsm.Result{}, errors.New("cluster: Raft answered nothing")
}

// wireResult is an fsm.Result on its way.
type wireResult struct {
	_           struct{} `cbor:",toarray"`
	Index       uint64
	Node        string
	Incarnation uint64
	Sequence    uint64
	Outcomes    []byte
	Problem     uint8
}

// Problems on the wire.
const (
	problemNone      = 0
	problemStale     = 1
	problemMalformed = 2
)

func encodeResult(r fsm.Result) ([]byte, error) {
	w := wireResult{Index: r.Index, Node: r.Node, Incarnation: r.Incarnation, Sequence: r.Sequence}
	switch r.Err {
	case nil:
	case fsm.ErrStale:
		w.Problem = problemStale
	default:
		w.Problem = problemMalformed
	}
	w.Outcomes = make([]byte, len(r.Outcomes))
	for i, outcome := range r.Outcomes {
		w.Outcomes[i] = byte(outcome)
	}
	return fsm.Marshal(&w)
}

func decodeResult(b []byte) (fsm.Result, error) {
	var w wireResult
	if err := fsm.Unmarshal(b, &w); err != nil {
		return fsm.Result{}, fmt.Errorf("decoding a batch's result: %w", err)
	}
	r := fsm.Result{Index: w.Index, Node: w.Node, Incarnation: w.Incarnation, Sequence: w.Sequence}
	switch w.Problem {
	case problemNone:
		r.Outcomes = make([]fsm.Outcome, len(w.Outcomes))
		for i, outcome := range w.Outcomes {
			r.Outcomes[i] = fsm.Outcome(outcome)
		}
	case problemStale:
		r.Err = fsm.ErrStale
	default:
		r.Err = fsm.ErrMalformed
	}
	return r, nil
}
