package commit

import "context"

// Close refuses new transactions, lets the others end until ctx is done, and
// stops the queue: what still waits is refused, what is in flight is unknown.
func (q *Queue) Close(ctx context.Context) {
	q.mu.Lock()
	q.closed = true
	q.checkDrained()
	q.mu.Unlock()

	select {
	case <-q.drained:
	case <-ctx.Done():
	}
	q.stop()
	q.running.Wait()
	q.giveUp()
}

// checkDrained notices that nothing waits or is in flight any more. The caller
// holds mu.
func (q *Queue) checkDrained() {
	if !q.closed || q.waiting.Len() > 0 || len(q.inflight) > 0 {
		return
	}
	select {
	case <-q.drained:
	default:
		close(q.drained)
	}
}

// giveUp answers everybody whom draining did not.
func (q *Queue) giveUp() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.waiting.Len() > 0 {
		e := q.waiting.Front().Value.(*entry)
		q.unlink(e)
		e.err = ErrClosed
		close(e.done)
	}
	for _, b := range q.inflight {
		q.finish(b, func(_ int, e *entry) { e.err = ErrUnknown })
	}
}
