package cluster

import (
	"context"
	"sync"
)

// progress is how far this node's state machine has come, for those who wait.
type progress struct {
	mu      sync.Mutex
	applied uint64
	waiting map[*waiter]struct{}
}

// waiter waits for an index; reached is closed when it is applied.
type waiter struct {
	index   uint64
	reached chan struct{}
}

func newProgress(applied uint64) *progress {
	return &progress{applied: applied, waiting: make(map[*waiter]struct{})}
}

// advance says that everything up to index is applied.
func (p *progress) advance(index uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.applied = max(p.applied, index)
	for w := range p.waiting {
		if w.index <= p.applied {
			close(w.reached)
			delete(p.waiting, w)
		}
	}
}

// wait returns when index is applied. Its error is ctx's, or ErrClosed where
// stopped is closed first.
func (p *progress) wait(ctx context.Context, stopped <-chan struct{}, index uint64) error {
	p.mu.Lock()
	if index <= p.applied {
		p.mu.Unlock()
		return nil
	}
	w := &waiter{index: index, reached: make(chan struct{})}
	p.waiting[w] = struct{}{}
	p.mu.Unlock()

	select {
	case <-w.reached:
		return nil
	case <-ctx.Done():
		p.forget(w)
		return ctx.Err()
	case <-stopped:
		p.forget(w)
		return ErrClosed
	}
}

func (p *progress) forget(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, w)
}
