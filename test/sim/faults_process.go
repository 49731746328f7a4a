package sim

import (
	"math/rand/v2"
	"time"
)

// crashSome crashes nodes at one moment and starts each after a time of its own.
func (w *World) crashSome(r *rand.Rand, count int) {
	silent := r.IntN(2) == 0
	done := make(chan struct{}, count)
	victims := w.shuffled(r)[:count]
	if count == 1 && r.IntN(2) == 0 {
		victims[0] = w.leader(r)
	}
	for _, n := range victims {
		down := span(r, 0, 20*time.Second)
		go func() {
			defer func() { done <- struct{}{} }()
			if n.changing.TryLock() {
				defer n.changing.Unlock()
				w.restart(n, silent, down)
			}
		}()
	}
	for range victims {
		<-done
	}
}

// stopOne stops a node as an operator does.
func (w *World) stopOne(r *rand.Rand) {
	n, down := w.some(r), span(r, 0, 20*time.Second)
	if !n.changing.TryLock() {
		return
	}
	defer n.changing.Unlock()
	if err := n.stop(); err != nil {
		w.logger.Warn("closing a process", "node", n.name, "error", err)
	}
	time.Sleep(down)
	w.start(n)
}

// handOver stops the leader gracefully, which hands its leadership over, and
// starts it at once.
func (w *World) handOver(r *rand.Rand) {
	n := w.leader(r)
	if !n.changing.TryLock() {
		return
	}
	defer n.changing.Unlock()
	if err := n.stop(); err != nil {
		w.logger.Warn("closing a process", "node", n.name, "error", err)
	}
	w.start(n)
}

// leaveBehind keeps a node down until the others have forgotten what it lacks, so
// that it is installed from a snapshot.
func (w *World) leaveBehind(r *rand.Rand) {
	n := w.some(r)
	if !n.changing.TryLock() {
		return
	}
	defer n.changing.Unlock()
	w.restart(n, false, span(r, time.Minute, 3*time.Minute))
}
