// Package commit is group commit: it gathers the transactions of many callers
// into batches, has each batch proposed until its outcome is known, and tells
// every caller what became of its transaction.
//
// It knows neither Raft nor the network: a [Proposer] hands batches to the
// leader, and the node's own state machine reports what it applied. It is safe
// because a batch keeps its number and its bytes for as long as anybody may
// have taken it, the state machine applies a number once, and a number is
// declared settled only when its outcome is known. What callers are told is
// never better than what is known: committed, conflicting, not proposed, or
// unknown.
package commit

import (
	"context"
	"errors"

	"github.com/cofre-kms/cofre/fsm"
)

// Errors that Commit answers with; test with errors.Is.
var (
	// ErrUnknown is returned when the caller stopped waiting, or the queue was
	// closed, and the transaction may or may not have taken effect, or may yet.
	ErrUnknown = errors.New("cluster: outcome unknown")
	// ErrUnavailable is returned when the caller stopped waiting and nobody had
	// taken the transaction, nor ever will.
	ErrUnavailable = errors.New("cluster: no quorum")
	// ErrOverloaded is returned when the queue is full, or the caller's half of it.
	// Nothing was proposed.
	ErrOverloaded = errors.New("cluster: overloaded")
	// ErrClosed is returned after Close. Nothing was proposed.
	ErrClosed = errors.New("cluster: node closed")

	// ErrRefused is what a Proposer answers where nobody took the command and
	// nobody ever will.
	ErrRefused = errors.New("cluster: proposal refused")
	// ErrFenced is what the queue fails with when the state machine refuses its
	// batches as stale: another process has started under this node's name.
	ErrFenced = errors.New("cluster: another process runs under this node's name")
)

// Proposer hands commands to the leader. It is used concurrently.
type Proposer interface {
	// Ready returns when there is somebody to propose to. Its error is ctx's.
	Ready(ctx context.Context) error
	// Propose has a command committed and answers what the leader's state machine
	// made of it. After ErrRefused nobody has taken the command; every other error
	// leaves that open, and the queue proposes the same bytes again.
	Propose(ctx context.Context, command []byte) (fsm.Result, error)
}

// Result is what became of a transaction.
type Result struct {
	// Index is the Raft index at which its batch was applied.
	Index   uint64
	Outcome fsm.Outcome
}
