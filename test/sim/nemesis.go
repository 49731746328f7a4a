package sim

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// nemesis is a kind of fault. It injects it, waits for a time that it chooses,
// takes it back, and returns. Several run at once.
type nemesis struct {
	name   string
	weight int
	run    func(w *World, r *rand.Rand)
}

// nemeses are all of them. A new one is a row here.
var nemeses = []nemesis{
	{"crash-one", 6, func(w *World, r *rand.Rand) { w.crashSome(r, 1) }},
	{"crash-majority", 2, func(w *World, r *rand.Rand) { w.crashSome(r, len(w.nodes)/2+1) }},
	{"crash-all", 1, func(w *World, r *rand.Rand) { w.crashSome(r, len(w.nodes)) }},
	{"stop-gracefully", 2, (*World).stopOne},
	{"freeze", 3, (*World).freeze},
	{"isolate-leader", 4, func(w *World, r *rand.Rand) { w.isolate(r, w.leader(r)) }},
	{"isolate-one", 3, func(w *World, r *rand.Rand) { w.isolate(r, w.some(r)) }},
	{"one-way", 4, (*World).oneWay},
	{"halves", 4, (*World).halves},
	{"bridge", 2, (*World).bridge},
	{"slow-links", 3, (*World).slowLinks},
	{"reset-connections", 3, (*World).resets},
	{"disk-slow", 3, (*World).slowDisk},
	{"disk-hang", 3, (*World).hangDisk},
	{"disk-error", 3, (*World).failDisk},
	{"hsm-dead", 3, func(w *World, r *rand.Rand) { w.breakPartition(r, false) }},
	{"hsm-hangs", 2, func(w *World, r *rand.Rand) { w.breakPartition(r, true) }},
	{"hand-over", 3, (*World).handOver},
	{"leave-behind", 2, (*World).leaveBehind},
}

// torment runs nemeses one after the other until ctx is done.
func (w *World) torment(ctx context.Context, r *rand.Rand, pause time.Duration) {
	total := 0
	for _, n := range nemeses {
		total += n.weight
	}
	for sleep(ctx, time.Duration(r.ExpFloat64()*float64(pause))) == nil {
		pick := r.IntN(total)
		for _, n := range nemeses {
			if pick -= n.weight; pick < 0 {
				w.logger.Info("NEMESIS", "name", n.name)
				w.injected(n.name)
				n.run(w, r)
				w.logger.Info("NEMESIS is over", "name", n.name)
				break
			}
		}
	}
}

// span is a time between two, the shorter ones more likely.
func span(r *rand.Rand, from, to time.Duration) time.Duration {
	f := r.Float64()
	return from + time.Duration(f*f*float64(to-from))
}

func (w *World) some(r *rand.Rand) *Node { return w.nodes[r.IntN(len(w.nodes))] }

// leader is a node that believes to lead; any node where none does.
func (w *World) leader(r *rand.Rand) *Node {
	for _, i := range r.Perm(len(w.nodes)) {
		if p := w.nodes[i].running(); p != nil {
			if leading, _ := p.node.Leading(); leading {
				return w.nodes[i]
			}
		}
	}
	return w.some(r)
}

// shuffled answers the nodes in a random order.
func (w *World) shuffled(r *rand.Rand) []*Node {
	nodes := slices.Clone(w.nodes)
	r.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	return nodes
}

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

// cut cuts directed paths for a while.
func (w *World) cut(paths [][2]string, hold time.Duration) {
	for _, p := range paths {
		w.network.Cut(p[0], p[1])
	}
	time.Sleep(hold)
	for _, p := range paths {
		w.network.Mend(p[0], p[1])
	}
}

// between lists the paths between two groups, both ways.
func between(a, b []*Node) (paths [][2]string) {
	for _, x := range a {
		for _, y := range b {
			paths = append(paths, [2]string{x.name, y.name}, [2]string{y.name, x.name})
		}
	}
	return paths
}

func (w *World) others(n *Node) []*Node {
	return slices.DeleteFunc(slices.Clone(w.nodes), func(o *Node) bool { return o == n })
}

func (w *World) isolate(r *rand.Rand, n *Node) {
	w.cut(between([]*Node{n}, w.others(n)), span(r, 100*time.Millisecond, 30*time.Second))
}

// oneWay lets a node hear and not speak, or speak and not hear, to all or to one.
func (w *World) oneWay(r *rand.Rand) {
	n := w.leader(r)
	paths := between([]*Node{n}, w.others(n))
	if r.IntN(2) == 0 {
		paths = between([]*Node{n}, w.others(n)[:1])
	}
	deaf := r.IntN(2)
	paths = slices.DeleteFunc(paths, func(p [2]string) bool { return p[deaf] != n.name })
	w.cut(paths, span(r, 100*time.Millisecond, 30*time.Second))
}

func (w *World) halves(r *rand.Rand) {
	nodes := w.shuffled(r)
	at := 1 + r.IntN(len(nodes)-1)
	w.cut(between(nodes[:at], nodes[at:]), span(r, 100*time.Millisecond, 30*time.Second))
}

// bridge leaves one node that reaches both halves.
func (w *World) bridge(r *rand.Rand) {
	nodes := w.shuffled(r)
	at := 1 + (len(nodes)-1)/2
	w.cut(between(nodes[1:at], nodes[at:]), span(r, 100*time.Millisecond, 30*time.Second))
}

func (w *World) slowLinks(r *rand.Rand) {
	n := w.some(r)
	delay, loss := span(r, time.Millisecond, 400*time.Millisecond), r.Float64()/4
	for _, p := range between([]*Node{n}, w.others(n)) {
		w.network.Shape(p[0], p[1], delay, delay, loss)
	}
	time.Sleep(span(r, time.Second, 30*time.Second))
	for _, p := range between([]*Node{n}, w.others(n)) {
		w.network.Shape(p[0], p[1], usualDelay, usualJitter, 0)
	}
}

func (w *World) resets(r *rand.Rand) {
	for range 1 + r.IntN(10) {
		nodes := w.shuffled(r)
		w.network.Reset(nodes[0].name, nodes[1].name)
		time.Sleep(span(r, 0, time.Second))
	}
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
