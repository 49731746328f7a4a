package faults

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// between lists the ways between two groups, both directions.
func between(a, b []*victim) (ways []way) {
	for _, x := range a {
		for _, y := range b {
			ways = append(ways, way{x.Name, y.Name}, way{y.Name, x.Name})
		}
	}
	return ways
}

// cutFor cuts ways for a while.
func (w *world) cutFor(r *rand.Rand, ways []way) {
	w.note("  cuts %v", ways)
	w.network.cut(ways)
	w.while(r)
	w.network.mend(ways)
}

func (w *world) isolate(r *rand.Rand, v *victim) { w.cutFor(r, between([]*victim{v}, w.others(v))) }

func (w *world) halves(r *rand.Rand) {
	victims := w.shuffled(r)
	at := 1 + r.IntN(len(victims)-1)
	w.cutFor(r, between(victims[:at], victims[at:]))
}

// oneWay lets a node hear and not speak, or speak and not hear, to all or to one.
func (w *world) oneWay(r *rand.Rand) {
	v := w.leader(r)
	others := w.others(v)
	if r.IntN(2) == 0 {
		others = others[:1]
	}
	deaf := r.IntN(2) == 0
	w.cutFor(r, slices.DeleteFunc(between([]*victim{v}, others), func(v2 way) bool { return (v2.to == v.Name) != deaf }))
}

// bridge leaves one node that reaches both halves.
func (w *world) bridge(r *rand.Rand) {
	victims := w.shuffled(r)
	at := 1 + (len(victims)-1)/2
	w.cutFor(r, between(victims[1:at], victims[at:]))
}

// ring leaves each node its two neighbours: all see a majority, no two the same.
func (w *world) ring(r *rand.Rand) {
	victims := w.shuffled(r)
	var ways []way
	for i, x := range victims {
		for j := i + 2; j < len(victims); j++ {
			if i != 0 || j != len(victims)-1 {
				ways = append(ways, between([]*victim{x}, victims[j:j+1])...)
			}
		}
	}
	w.cutFor(r, ways)
}

// cutClients cuts a node from its clients only, one way or both.
func (w *world) cutClients(r *rand.Rand) {
	v := w.some(r)
	ways := []way{{clients, v.Name}, {v.Name, clients}}
	w.cutFor(r, ways[r.IntN(2):])
}

// powerLoss kills a node whose last words nobody hears: no connection is closed,
// it is just silent. A killed process alone has its connections closed by the
// kernel. What it had not synced is still in the page cache: that is not lost.
func (w *world) powerLoss(r *rand.Rand) {
	v := w.leader(r)
	ways := append(between([]*victim{v}, w.others(v)), way{clients, v.Name}, way{v.Name, clients})
	w.network.cut(ways)
	w.hold([]*victim{v}, w.kill, func() time.Duration { return span(r, time.Second, 8*time.Second) }, func(v *victim) {
		for _, o := range w.others(v) {
			w.network.reset(v.Name, o.Name) // a node that starts anew knows no old connection
		}
		w.network.mend(ways)
		ways = nil
		w.start(v)
	})
	w.network.mend(ways)
}

// shapeFor shapes the links of a node for a while.
func (w *world) shapeFor(r *rand.Rand, v *victim, s shape) {
	w.note("  %s's links: %+v", v.Name, s)
	ways := between([]*victim{v}, w.others(v))
	w.network.reshape(ways, s)
	w.while(r)
	w.network.reshape(ways, shape{})
}

func (w *world) slowLinks(r *rand.Rand) {
	delay := span(r, 5*time.Millisecond, 300*time.Millisecond)
	w.shapeFor(r, w.some(r), shape{delay: delay, jitter: delay})
}

func (w *world) lossyLinks(r *rand.Rand) {
	w.shapeFor(r, w.some(r), shape{loss: 0.01 + r.Float64()/4})
}

func (w *world) narrowLinks(r *rand.Rand) {
	w.shapeFor(r, w.leader(r), shape{delay: time.Millisecond, rate: 20e3 + r.Float64()*200e3})
}

// resets breaks connections that are in use.
func (w *world) resets(r *rand.Rand) {
	for range 1 + r.IntN(10) {
		victims := w.shuffled(r)
		w.network.reset(victims[0].Name, victims[1].Name)
		sleep(context.Background(), span(r, 0, time.Second))
	}
}
