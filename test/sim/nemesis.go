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
	{"replace", 2, (*World).replace},
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
