package sim

import (
	"math/rand/v2"
	"sync"
	"time"
)

// crash draws a crash of one node (1), a majority (2) or all (3) at one moment.
// The last of them stays down for Hold, the others for less.
func crash(parts int) func(*rand.Rand, *Fault) {
	return func(r *rand.Rand, f *Fault) {
		size := len(f.Nodes)
		if f.Nodes[0] == theLeader {
			size--
		}
		f.Count = [...]int{1, size/2 + 1, size}[parts-1]
		f.Hold = span(r, 0, 20*time.Second)
		f.Silent = r.IntN(2) == 0
	}
}

func (w *World) crash(f *Fault) {
	var down sync.WaitGroup
	victims := w.targets(f)
	for i, n := range victims[:min(f.Count, len(victims))] {
		down.Go(func() {
			if n.changing.TryLock() {
				defer n.changing.Unlock()
				w.restart(n, f.Silent, time.Duration(f.Hold)*time.Duration(i+1)/time.Duration(f.Count))
			}
		})
	}
	down.Wait()
}

// stopOne stops a node as an operator does, and starts it after Hold.
func (w *World) stopOne(f *Fault) { w.stop(w.target(f), time.Duration(f.Hold)) }

// handOver stops the leader gracefully, which hands its leadership over, and
// starts it at once.
func (w *World) handOver(f *Fault) { w.stop(w.target(f), 0) }

func (w *World) stop(n *Node, down time.Duration) {
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

// leaveBehind keeps a node down until the others have forgotten what it lacks, so
// that it is installed from a snapshot.
func (w *World) leaveBehind(f *Fault) {
	n := w.target(f)
	if !n.changing.TryLock() {
		return
	}
	defer n.changing.Unlock()
	w.restart(n, false, time.Duration(f.Hold))
}
