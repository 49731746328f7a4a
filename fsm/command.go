package fsm

import "errors"

var (
	// ErrStale is the Err of a batch that belongs to an incarnation that has ended
	// or whose outcome the node said to know already. Nothing happened.
	ErrStale = errors.New("fsm: stale batch")
	// ErrMalformed is the Err of a command that does not decode. Nothing happened.
	ErrMalformed = errors.New("fsm: malformed command")
	// ErrUnknownCommand is returned by Apply for a command of a kind that only later
	// releases know. What it does is unknown, so nothing more can be applied: the
	// store has failed, before the command.
	ErrUnknownCommand = errors.New("fsm: the command is of a later release")
)

// Batch is the command that a node proposes: transactions of many callers under
// one number. A node may propose a batch again when its outcome is unknown; it
// takes effect once (Ongaro's dissertation §6.3).
type Batch struct {
	// Node is the proposing node's name.
	Node string
	// Incarnation grows with every start of the node. The first batch of a new
	// incarnation ends the older ones: their batches are refused as stale.
	Incarnation uint64
	// Sequence numbers the batches of one incarnation from 1. Batches may be
	// applied out of order.
	Sequence uint64
	// Settled is the highest sequence such that the node knows the outcomes of all
	// batches up to it: the state machine forgets them, and refuses a batch at or
	// below it as stale.
	Settled uint64
	// Txns are applied in order; each is decided on its own.
	Txns []*Txn
	// Level is the cluster's feature level, which the command's kind goes by.
	Level Level
}

// Entry is one committed command of the Raft log.
type Entry struct {
	Index   uint64
	Command []byte
}

// Outcome is what became of one transaction.
type Outcome uint8

const (
	// Committed: all reads were current; writes and event took effect.
	Committed Outcome = 1
	// Conflict: a record that was read has changed; nothing happened.
	Conflict Outcome = 2
)

// Result is what became of one entry, the same on every replica.
type Result struct {
	// Index is the Raft index at which the batch took effect: of an earlier entry
	// where this one repeated it.
	Index       uint64
	Node        string
	Incarnation uint64
	Sequence    uint64
	// Outcomes has one for each transaction; nil where Err is set. It is shared:
	// nobody may change it.
	Outcomes []Outcome
	// Err is nil, ErrStale or ErrMalformed.
	Err error
}
