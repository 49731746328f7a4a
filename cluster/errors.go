package cluster

import (
	"errors"

	"github.com/cofre-kms/cofre/cluster/commit"
)

// Errors that Transact and Sync answer with; test with errors.Is. Each means
// that no answer may leave the node.
var (
	// ErrUnknown is returned when the deadline passed and the transaction may or
	// may not have taken effect, or may yet.
	ErrUnknown = commit.ErrUnknown
	// ErrUnavailable is returned when the transaction was not proposed at all: no
	// leader was reached in time.
	ErrUnavailable = commit.ErrUnavailable
	// ErrOverloaded is returned when the queue is full. Nothing was proposed.
	ErrOverloaded = commit.ErrOverloaded
	// ErrClosed is returned once the node is shutting down or has failed.
	ErrClosed = commit.ErrClosed
	// ErrContention is returned when a transaction conflicted until its deadline.
	ErrContention = errors.New("cluster: too many conflicts")
	// ErrDiverged is returned once the replica's state hash differs from the
	// cluster's: the node answers nothing more.
	ErrDiverged = errors.New("cluster: replica has diverged")
)

// Errors of checkpoints.
var (
	// ErrNoCheckpoint is returned where no checkpoint has been published yet.
	ErrNoCheckpoint = errors.New("cluster: no checkpoint of the ledger is published yet")
	// ErrFork is returned by a node that is asked to sign a checkpoint which is no
	// extension of what it signed before: the ledger, or the node's memory, was put
	// back.
	ErrFork = errors.New("cluster: the ledger is no extension of what this node has signed")
)

// Errors of Init, Join, Open and Remove.
var (
	// ErrRelease is returned when the cluster's feature level is none that this
	// release of Cofre knows.
	ErrRelease = errors.New("cluster: this release of Cofre is not for the cluster's feature level")
	// ErrOccupied is returned when the data directory holds a node already.
	ErrOccupied = errors.New("cluster: the data directory holds a node already")
	// ErrNoNode is returned when the data directory holds no node.
	ErrNoNode = errors.New("cluster: the data directory holds no node")
	// ErrMismatch is returned when the configuration does not fit what the data
	// directory holds: another name, another log store.
	ErrMismatch = errors.New("cluster: the configuration does not fit the data directory")
	// ErrDamaged is returned when a part of the data directory is missing, or is not
	// what was written there; the error names the file. Going on could break
	// promises that the node has made to its peers.
	ErrDamaged = errors.New("cluster: the data directory is damaged")
	// ErrToken is returned for a join token that is malformed, unknown, expired or
	// spent.
	ErrToken = errors.New("cluster: join token refused")
	// ErrNameTaken is returned when the cluster has a member of the name already.
	ErrNameTaken = errors.New("cluster: the name is taken")
	// ErrNoMember is returned when the cluster has no member of the name.
	ErrNoMember = errors.New("cluster: no such member")
	// ErrForeignDomain is returned when a joining partition holds another domain
	// key than the cluster's.
	ErrForeignDomain = errors.New("cluster: the partition holds another cluster's domain key")
)
