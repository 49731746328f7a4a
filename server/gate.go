package server

import "sync/atomic"

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
