package sim

import (
	"math/rand/v2"
	"slices"
	"time"
)

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
