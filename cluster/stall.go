package cluster

import (
	"sync"
	"time"
)

// stall watches how long the running writes to a disk have taken. Raft's own
// lease does not notice a hung disk: heartbeats go on beside it. Writes run beside
// each other, of the log, of the vote and of the state: one that ends says nothing
// about the others.
type stall struct {
	limit time.Duration

	mu      sync.Mutex
	next    uint64
	running map[uint64]time.Time // when each write began
}

func newStall(limit time.Duration) *stall {
	return &stall{limit: limit, running: make(map[uint64]time.Time)}
}

// begin notes that a write begins; the caller calls end when it has ended.
func (s *stall) begin() (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.next
	s.next++
	s.running[id] = time.Now()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.running, id)
	}
}

// stalled says whether a running write is over its limit.
func (s *stall) stalled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, since := range s.running {
		if time.Since(since) > s.limit && !plantedStall {
			return true
		}
	}
	return false
}
