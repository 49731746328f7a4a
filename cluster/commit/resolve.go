package commit

import (
	"context"
	"errors"
	"time"
)

// Pauses between proposals that fail: a leader that went away is replaced within
// a second, and Ready waits for the next one.
const (
	firstPause = 2 * time.Millisecond
	lastPause  = 30 * time.Millisecond
)

// run starts batches while there are transactions, a slot in the window and
// somebody to propose to. Until then transactions wait where their callers can
// still take them back.
func (q *Queue) run() {
	for q.awaitWork() && q.cfg.Proposer.Ready(q.ctx) == nil && q.ctx.Err() == nil {
		if b := q.form(); b != nil {
			q.running.Go(func() { q.resolve(b) })
		}
	}
}

// awaitWork returns when a batch can be formed; false once the queue stops.
func (q *Queue) awaitWork() bool {
	for {
		q.mu.Lock()
		work := q.waiting.Len() > 0 && q.busy < q.cfg.Window
		q.mu.Unlock()
		if work {
			return true
		}
		select {
		case <-q.wake:
		case <-q.ctx.Done():
			return false
		}
	}
}

// resolve proposes a batch until its outcome is known or the queue stops.
func (q *Queue) resolve(b *batch) {
	defer q.release()
	if err := q.encode(b); err != nil {
		q.drop(b, err) // never: Txn.Size has checked every part
		return
	}
	for tries := 1; ; tries++ {
		result, err := q.cfg.Proposer.Propose(b.ctx, b.command)
		refused := errors.Is(err, ErrRefused)
		if plantedEarly && err != nil && !refused && b.ctx.Err() == nil {
			result, err = q.presume(b), nil
		}
		switch {
		case err == nil:
			q.settle(b, result)
			return
		case b.ctx.Err() != nil:
			return // observed meanwhile, or the queue stops
		case refused && !b.doubtful:
			q.putBack(b)
			q.pause(q.ctx, q.refused())
			return
		case !refused:
			b.doubtful = true
		}
		q.cfg.Logger.Debug("proposing a batch again", "sequence", b.sequence, "tries", tries, "error", err)
		q.pause(b.ctx, tries)
		if q.cfg.Proposer.Ready(b.ctx) != nil {
			return
		}
	}
}

// release frees a slot of the window.
func (q *Queue) release() {
	q.mu.Lock()
	q.busy--
	q.mu.Unlock()
	q.signal()
}

// refused counts batches that were refused one after the other.
func (q *Queue) refused() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refusals++
	return q.refusals
}

// pause waits longer the more often it was needed.
func (q *Queue) pause(ctx context.Context, times int) {
	timer := time.NewTimer(min(firstPause<<min(times-1, 10), lastPause))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// drop fails the entries of a batch that was never proposed.
func (q *Queue) drop(b *batch, err error) {
	q.mu.Lock()
	q.finish(b, func(_ int, e *entry) { e.err = err })
	q.mu.Unlock()
}
