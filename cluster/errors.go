package cluster

import "errors"

// Errors that Transact and Sync answer with; test with errors.Is. Each means
// that no answer may leave the node.
var (
	// ErrUnknown is returned when the deadline passed and the transaction may or
	// may not have taken effect, or may yet.
	ErrUnknown = errors.New("cluster: outcome unknown")
	// ErrUnavailable is returned when the transaction was not proposed at all: no
	// leader was reached in time.
	ErrUnavailable = errors.New("cluster: no quorum")
	// ErrOverloaded is returned when the queue is full. Nothing was proposed.
	ErrOverloaded = errors.New("cluster: overloaded")
	// ErrContention is returned when a transaction conflicted until its deadline.
	ErrContention = errors.New("cluster: too many conflicts")
	// ErrClosed is returned once the node is shutting down.
	ErrClosed = errors.New("cluster: node closed")
	// ErrDiverged is returned once the replica's state hash differs from the
	// cluster's: the node answers nothing more.
	ErrDiverged = errors.New("cluster: replica has diverged")
)
