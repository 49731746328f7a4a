package sim

import (
	"math/rand/v2"
	"time"
)

// freeze is as near as a goroutine comes to SIGSTOP: the node's disk hangs and
// nothing reaches or leaves it, but its clock runs on.
func (w *World) freeze(f *Fault) {
	n := w.target(f)
	disk := n.currentDisk()
	disk.Hang()
	w.cut(between([]*Node{n}, w.others(n)), f.Hold)
	disk.Resume()
}

func (n *Node) currentDisk() *Disk {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.disk
}

// drawSlowDisk: Delay is how long a write takes, up to twice.
func drawSlowDisk(r *rand.Rand, f *Fault) {
	f.Delay = span(r, 5*time.Millisecond, 600*time.Millisecond)
	f.Hold = span(r, time.Second, 30*time.Second)
}

func (w *World) slowDisk(f *Fault) {
	disk := w.target(f).currentDisk()
	disk.SetLatency(time.Duration(f.Delay))
	time.Sleep(time.Duration(f.Hold))
	disk.SetLatency(usualLatency)
}

func (w *World) hangDisk(f *Fault) {
	disk := w.target(f).currentDisk()
	disk.Hang()
	time.Sleep(time.Duration(f.Hold))
	disk.Resume()
}

// failDisk fails a node's Raft log. The node has to stop, and its supervisor
// starts it again.
func (w *World) failDisk(f *Fault) {
	n := w.target(f)
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
func (w *World) breakPartition(f *Fault, hang bool) {
	p := w.target(f).running()
	if p == nil {
		return
	}
	p.partition.dead.Store(true)
	p.partition.hung.Store(hang)
	time.Sleep(time.Duration(f.Hold))
	p.partition.dead.Store(false)
	p.partition.hung.Store(false)
}
