package sim

import (
	"math/rand/v2"
	"time"
)

// freeze is as near as a goroutine comes to SIGSTOP: the node's disk hangs and
// nothing reaches or leaves it, but its clock runs on.
func (w *World) freeze(r *rand.Rand) {
	n := w.leader(r)
	disk := n.currentDisk()
	disk.Hang()
	w.isolate(r, n)
	disk.Resume()
}

func (n *Node) currentDisk() *Disk {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.disk
}

func (w *World) slowDisk(r *rand.Rand) {
	disk := w.leader(r).currentDisk()
	disk.SetLatency(span(r, 5*time.Millisecond, 600*time.Millisecond))
	time.Sleep(span(r, time.Second, 30*time.Second))
	disk.SetLatency(usualLatency)
}

func (w *World) hangDisk(r *rand.Rand) {
	disk := w.leader(r).currentDisk()
	disk.Hang()
	time.Sleep(span(r, 100*time.Millisecond, 30*time.Second))
	disk.Resume()
}

// failDisk fails a node's Raft log. The node has to stop, and its supervisor
// starts it again.
func (w *World) failDisk(r *rand.Rand) {
	n := w.some(r)
	if r.IntN(2) == 0 {
		n = w.leader(r)
	}
	if !n.changing.TryLock() {
		return
	}
	defer n.changing.Unlock()
	if n.running() != nil {
		n.currentDisk().Fail()
	}
}

// breakPartition lets a node's HSM partition answer nothing but errors, or
// nothing at all.
func (w *World) breakPartition(r *rand.Rand, hang bool) {
	n := w.some(r)
	if r.IntN(2) == 0 {
		n = w.leader(r)
	}
	p := n.running()
	if p == nil {
		return
	}
	p.partition.dead.Store(true)
	p.partition.hung.Store(hang)
	time.Sleep(span(r, time.Second, 30*time.Second))
	p.partition.dead.Store(false)
	p.partition.hung.Store(false)
}
