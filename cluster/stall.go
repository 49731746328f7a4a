package cluster

import (
	"sync/atomic"
	"time"
)

// stall watches how long the running write to a disk has taken. Raft's own lease
// does not notice a hung disk: heartbeats go on beside it.
type stall struct {
	limit time.Duration
	since atomic.Int64 // Unix nanoseconds at which the write began; 0 where none runs
}

func (s *stall) begin() { s.since.Store(time.Now().UnixNano()) }
func (s *stall) end()   { s.since.Store(0) }

// stalled says whether the running write is over its limit.
func (s *stall) stalled() bool {
	since := s.since.Load()
	return since != 0 && time.Now().UnixNano()-since > int64(s.limit)
}
