package faults

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// path is the way of bytes in one direction between two nodes, whichever of them
// opened the connection. It is safe for concurrent use.
type path struct {
	mu      sync.Mutex
	cuts    int           // how many faults cut it now
	changed chan struct{} // closed when the path is mended, made when it is cut
	shape   shape
}

// shape is what a path does to what passes.
type shape struct {
	delay, jitter time.Duration
	// loss is the probability that a segment is lost. TCP repairs that, so it is
	// seen as a retransmission timeout, which doubles (RFC 6298 §5.5).
	loss float64
	// rate is in bytes a second; 0 is no limit.
	rate float64
}

// retransmission is the first timeout; Linux's least one is as long.
const retransmission = 200 * time.Millisecond

// cut holds everything back until each cut is mended: the sender's TCP repeats
// what was not acknowledged, so nothing is missing afterwards.
func (p *path) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cuts++; p.cuts == 1 {
		p.changed = make(chan struct{})
	}
}

func (p *path) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cuts--; p.cuts == 0 {
		close(p.changed)
	}
}

func (p *path) reshape(s shape) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shape = s
}

// awaitOpen returns when the path is not cut.
func (p *path) awaitOpen(ctx context.Context) error {
	for {
		p.mu.Lock()
		cut, changed := p.cuts > 0, p.changed
		p.mu.Unlock()
		if !cut {
			return ctx.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// latency is how long a chunk takes, and how long it keeps the next one waiting.
func (p *path) latency(size int) (transit, occupied time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.shape
	transit = s.delay
	if s.jitter > 0 {
		transit += time.Duration(rand.Int64N(int64(s.jitter)))
	}
	for timeout := retransmission; rand.Float64() < s.loss; timeout *= 2 {
		transit += timeout
	}
	if s.rate > 0 {
		occupied = time.Duration(float64(size) / s.rate * float64(time.Second))
	}
	return transit, occupied
}
