package server

import (
	"sync/atomic"
	"time"
)

// gate lets a bounded number in at once. It is safe for concurrent use.
type gate struct {
	limit  int64
	inside atomic.Int64
}

// enter answers whether there was room. Who got in has to leave.
func (g *gate) enter() bool {
	if g.inside.Add(1) > g.limit {
		g.leave()
		return false
	}
	return true
}

func (g *gate) leave() { g.inside.Add(-1) }

// limiter lets through a few things a second. It is safe for concurrent use.
type limiter struct {
	second atomic.Int64
	count  atomic.Int64
}

const perSecond = 10

func (l *limiter) allow(now time.Time) bool {
	if second := now.Unix(); l.second.Swap(second) != second {
		l.count.Store(0)
	}
	return l.count.Add(1) <= perSecond
}
