package cluster

import (
	"context"
	"sync"
)

// proposals counts the commands that Raft has taken and not answered. Raft must
// not be shut down under them: it would leave some unanswered for ever.
type proposals struct {
	mu     sync.Mutex
	open   int
	closed bool
	idle   chan struct{} // closed once closed is set and open is 0
}

func newProposals() *proposals { return &proposals{idle: make(chan struct{})} }

// begin counts one in; false once closed.
func (p *proposals) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.open++
	return true
}

// count is how many are open.
func (p *proposals) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

func (p *proposals) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
	p.settle()
}

// close refuses further ones.
func (p *proposals) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.settle()
}

// settle closes idle when it is time. The caller holds mu.
func (p *proposals) settle() {
	if !p.closed || p.open > 0 {
		return
	}
	select {
	case <-p.idle:
	default:
		close(p.idle)
	}
}

// wait returns when all are answered, which a leader that loses its quorum does
// too, or ctx is done.
func (p *proposals) wait(ctx context.Context) {
	select {
	case <-p.idle:
	case <-ctx.Done():
	}
}
