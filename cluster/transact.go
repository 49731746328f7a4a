package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/cofre-kms/cofre/fsm"
)

// Transact runs a function over a transaction on this node's view and commits
// what it read, wrote and recorded, as one instant on a quorum. It runs it
// again, on a newer view, while the transaction conflicts. It returns the Raft
// index of the commit, or run's own error (nothing was proposed), or one of the
// package's errors. Caller is the account on whose behalf it runs: one caller
// cannot fill the whole queue. The deadline is ctx's.
func (n *Node) Transact(ctx context.Context, caller string, run func(tx *fsm.Txn) error) (uint64, error) {
	for conflicts := 0; ; conflicts++ {
		if err := n.mayRun(ctx, conflicts); err != nil {
			return 0, err
		}
		tx := fsm.NewTxn(n.store)
		if err := run(tx); err != nil {
			return 0, err
		}
		result, err := n.queue.Commit(ctx, caller, tx)
		if errors.Is(err, ErrUnavailable) && conflicts > 0 {
			err = ErrContention
		}
		if err == nil {
			err = n.answerable()
		}
		if err != nil {
			return 0, err
		}
		if result.Outcome == fsm.Committed || plantedConflict {
			return result.Index, nil
		}
		n.metrics.conflicts.Inc()
		if err := n.Wait(ctx, result.Index); err != nil {
			return 0, n.unproposed(err, conflicts+1)
		}
	}
}

// mayRun is nil where a transaction may be begun.
func (n *Node) mayRun(ctx context.Context, conflicts int) error {
	if err := n.fate.check(); err != nil {
		return err
	}
	return n.unproposed(ctx.Err(), conflicts)
}

// answerable keeps the outcome of a transaction that ran on a state which turned
// out to be wrong. A node that was merely closed may still say what it knows.
func (n *Node) answerable() error {
	if err := n.fate.check(); errors.Is(err, ErrDiverged) {
		return err
	}
	return nil
}

// unproposed is the error of a transaction whose last attempt was never
// proposed, because of err.
func (n *Node) unproposed(err error, conflicts int) error {
	switch {
	case err == nil, errors.Is(err, ErrClosed):
		return err
	case conflicts > 0:
		return fmt.Errorf("%w: %w", ErrContention, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// Wait returns when this node has applied the entry at index.
func (n *Node) Wait(ctx context.Context, index uint64) error {
	if err := n.progress.wait(ctx, n.fate.ended, index); err != nil {
		if ended := n.fate.check(); ended != nil {
			return ended
		}
		return err
	}
	return nil
}

// Sync returns when View includes everything that was acknowledged anywhere
// before the call. It is a transaction that reads, writes and records nothing:
// whatever was acknowledged stands before it in the log. Concurrent calls share
// a batch, and so one round.
func (n *Node) Sync(ctx context.Context) error {
	index, err := n.Transact(ctx, "", func(*fsm.Txn) error { return nil })
	if err != nil {
		return err
	}
	return n.Wait(ctx, index)
}
