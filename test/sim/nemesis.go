package sim

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// nemesis is a kind of fault. draw chooses how hard one is; run injects it, holds
// it, takes it back, and returns. Several run at once.
type nemesis struct {
	name   string
	weight float64
	leader float64 // how often the leader is the first target
	draw   func(r *rand.Rand, f *Fault)
	run    func(w *World, f *Fault)
}

// nemeses are all of them. A new one is a row here.
var nemeses = []nemesis{
	{"crash-one", 6, 0.5, crash(1), (*World).crash},
	{"crash-majority", 2, 0, crash(2), (*World).crash},
	{"crash-all", 1, 0, crash(3), (*World).crash},
	{"stop-gracefully", 2, 0, hold(0, 20*time.Second), (*World).stopOne},
	{"freeze", 3, 1, hold(100*time.Millisecond, 30*time.Second), (*World).freeze},
	{"isolate-leader", 4, 1, hold(100*time.Millisecond, 30*time.Second), (*World).isolate},
	{"isolate-one", 3, 0, hold(100*time.Millisecond, 30*time.Second), (*World).isolate},
	{"one-way", 4, 1, drawOneWay, (*World).oneWay},
	{"halves", 4, 0, drawHalves, (*World).halves},
	{"bridge", 2, 0, hold(100*time.Millisecond, 30*time.Second), (*World).bridge},
	{"slow-links", 3, 0, drawSlowLinks, (*World).slowLinks},
	{"reset-connections", 3, 0, drawResets, (*World).resets},
	{"disk-slow", 3, 1, drawSlowDisk, (*World).slowDisk},
	{"disk-hang", 3, 1, hold(100*time.Millisecond, 30*time.Second), (*World).hangDisk},
	{"disk-error", 3, 0.5, hold(0, 0), (*World).failDisk},
	{"hsm-dead", 3, 0.5, hold(time.Second, 30*time.Second), func(w *World, f *Fault) { w.breakPartition(f, false) }},
	{"hsm-hangs", 2, 0.5, hold(time.Second, 30*time.Second), func(w *World, f *Fault) { w.breakPartition(f, true) }},
	{"hand-over", 3, 1, hold(0, 0), (*World).handOver},
	{"leave-behind", 2, 0, hold(time.Minute, 3*time.Minute), (*World).leaveBehind},
	{"replace", 2, 0, crash(1), (*World).replace},
}

// nemesisBegins is what the log says when a fault begins.
const nemesisBegins = "NEMESIS"

// find answers the nemesis of a name, nil where there is none.
func find(name string) *nemesis {
	i := slices.IndexFunc(nemeses, func(n nemesis) bool { return n.name == name })
	if i < 0 {
		return nil
	}
	return &nemeses[i]
}

// usualWeight is how often a nemesis comes where nobody guides the choice.
func usualWeight(n *nemesis) float64 { return n.weight }

// hold draws how long a fault lasts, the shorter times more likely.
func hold(from, to time.Duration) func(*rand.Rand, *Fault) {
	return func(r *rand.Rand, f *Fault) { f.Hold = span(r, from, to) }
}

// span is a time between two, the shorter ones more likely.
func span(r *rand.Rand, from, to time.Duration) Duration {
	x := r.Float64()
	return Duration(from + time.Duration(x*x*float64(to-from)))
}

// torment injects the faults of a schedule, each at its time, until ctx is done,
// and returns when all are over.
func (w *World) torment(ctx context.Context, faults []Fault) {
	var running sync.WaitGroup
	began := time.Now()
	for i := range faults {
		f := &faults[i]
		if sleep(ctx, time.Duration(f.At)-time.Since(began)) != nil {
			break
		}
		running.Go(func() {
			w.logger.Info(nemesisBegins, "name", f.Nemesis, "fault", f)
			w.injected(f.Nemesis)
			find(f.Nemesis).run(w, f)
			w.logger.Info("NEMESIS is over", "name", f.Nemesis)
		})
	}
	running.Wait()
}

// targets are all nodes in the order in which a fault hits them.
func (w *World) targets(f *Fault) []*Node {
	var nodes []*Node
	add := func(n *Node) {
		if n != nil && !slices.Contains(nodes, n) {
			nodes = append(nodes, n)
		}
	}
	for _, name := range f.Nodes {
		if name == theLeader {
			add(w.leader())
		} else {
			add(w.node(name))
		}
	}
	for _, n := range w.nodes { // those that a changed schedule does not name
		add(n)
	}
	return nodes
}

func (w *World) target(f *Fault) *Node { return w.targets(f)[0] }

// leader is a node that believes to lead, nil where none does.
func (w *World) leader() *Node {
	for _, n := range w.nodes {
		if p := n.running(); p != nil {
			if leading, _ := p.node.Leading(); leading {
				return n
			}
		}
	}
	return nil
}
