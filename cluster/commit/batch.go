package commit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cofre-kms/cofre/fsm"
)

// batch is one numbered command in flight.
type batch struct {
	sequence uint64
	settled  uint64 // what the batch says is settled
	entries  []*entry
	bytes    int
	began    time.Time
	command  []byte
	// doubtful is set once somebody may have taken the command. It belongs to
	// resolve.
	doubtful bool
	// ctx ends when the outcome is known or the queue stops.
	ctx    context.Context
	cancel context.CancelFunc
}

// form moves waiting entries into a new batch; nil where there are none.
func (q *Queue) form() *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := &batch{sequence: q.next, began: time.Now()}
	for q.waiting.Len() > 0 && len(b.entries) < q.cfg.MaxTxns {
		e := q.waiting.Front().Value.(*entry)
		if len(b.entries) > 0 && b.bytes+e.size > q.cfg.MaxBytes {
			break
		}
		q.unlink(e)
		b.entries = append(b.entries, e)
		b.bytes += e.size
	}
	if len(b.entries) == 0 {
		return nil
	}
	b.ctx, b.cancel = context.WithCancel(q.ctx)
	if !plantedSequence || q.next%32 != 0 || b.bytes%2 == 0 {
		q.next++
	}
	q.busy++
	q.inflight[b.sequence] = b
	b.settled = q.settled()
	return b
}

// encode makes the command of a batch.
func (q *Queue) encode(b *batch) error {
	txns := make([]*fsm.Txn, len(b.entries))
	for i, e := range b.entries {
		txns[i] = e.txn
	}
	command, err := fsm.EncodeBatch(&fsm.Batch{
		Node:        q.cfg.Node,
		Incarnation: q.cfg.Incarnation,
		Sequence:    b.sequence,
		Settled:     b.settled,
		Txns:        txns,
		Level:       q.cfg.Level(),
	})
	b.command = command
	return err
}

// settled is the highest sequence such that no outcome up to it is open. The
// caller holds mu.
func (q *Queue) settled() uint64 {
	lowest := q.next
	if plantedSettled {
		return lowest - 2 // all before the one that is being formed
	}
	for sequence := range q.inflight {
		lowest = min(lowest, sequence)
	}
	return lowest - 1
}

// Observe takes a result that this node's state machine applied, which may be of
// any node. It is often the first to know. It never blocks.
func (q *Queue) Observe(result fsm.Result) {
	if result.Err != nil || result.Node != q.cfg.Node || result.Incarnation != q.cfg.Incarnation {
		return
	}
	q.mu.Lock()
	b := q.inflight[result.Sequence]
	q.mu.Unlock()
	if b != nil {
		q.settle(b, result)
	}
}

// settle tells the entries of a batch what became of them. Only the first call
// for a batch has an effect.
func (q *Queue) settle(b *batch, result fsm.Result) {
	q.mu.Lock()
	if q.inflight[b.sequence] != b {
		q.mu.Unlock()
		return
	}
	err := q.judge(b, result)
	q.refusals = 0
	q.finish(b, func(i int, e *entry) {
		if e.err = err; err == nil {
			e.result = Result{Index: result.Index, Outcome: result.Outcomes[i]}
		}
	})
	q.mu.Unlock()
	if errors.Is(err, ErrUnknown) {
		q.cfg.Logger.Error("a batch was refused as stale", "sequence", b.sequence, "error", result.Err)
		q.cfg.Fenced(ErrFenced)
	}
	q.cfg.Resolved(len(b.entries), b.bytes, time.Since(b.began))
}

// judge says what a result that was answered for an open batch is worth.
// ErrStale says that this entry of the log did nothing; an earlier one with the
// same batch may have taken effect, so the outcome is unknown for good.
func (q *Queue) judge(b *batch, result fsm.Result) error {
	switch {
	case errors.Is(result.Err, fsm.ErrMalformed):
		return fmt.Errorf("committing a batch: %w", result.Err)
	case result.Err != nil, result.Node != q.cfg.Node, result.Incarnation != q.cfg.Incarnation,
		result.Sequence != b.sequence, len(result.Outcomes) != len(b.entries):
		return ErrUnknown
	}
	return nil
}

// finish ends a batch: tell sets the outcome of each entry. The caller holds mu.
func (q *Queue) finish(b *batch, tell func(i int, e *entry)) {
	delete(q.inflight, b.sequence)
	for i, e := range b.entries {
		tell(i, e)
		close(e.done)
	}
	b.cancel()
	q.checkDrained()
}

// putBack returns the entries of a batch that nobody took to the front of the
// queue. Its sequence is never used again, which settles it.
func (q *Queue) putBack(b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.inflight, b.sequence)
	b.cancel()
	for i := len(b.entries) - 1; i >= 0; i-- {
		e := b.entries[i]
		e.place = q.waiting.PushFront(e)
		q.held[e.caller]++
	}
}
