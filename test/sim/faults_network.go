package sim

import (
	"math/rand/v2"
	"slices"
	"time"
)

// cut cuts directed paths for a while.
func (w *World) cut(paths [][2]string, hold Duration) {
	for _, p := range paths {
		w.network.Cut(p[0], p[1])
	}
	time.Sleep(time.Duration(hold))
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

func (w *World) isolate(f *Fault) {
	n := w.target(f)
	w.cut(between([]*Node{n}, w.others(n)), f.Hold)
}

// drawOneWay lets a node hear and not speak, or speak and not hear, to Count
// others.
func drawOneWay(r *rand.Rand, f *Fault) {
	f.Count = len(f.Nodes)
	if r.IntN(2) == 0 {
		f.Count = 1
	}
	f.Deaf = r.IntN(2) == 1
	f.Hold = span(r, 100*time.Millisecond, 30*time.Second)
}

func (w *World) oneWay(f *Fault) {
	nodes := w.targets(f)
	n, others := nodes[0], nodes[1:]
	paths := between([]*Node{n}, others[:min(f.Count, len(others))])
	end := 0
	if f.Deaf {
		end = 1
	}
	w.cut(slices.DeleteFunc(paths, func(p [2]string) bool { return p[end] != n.name }), f.Hold)
}

// drawHalves: Count is how many nodes are on the one side.
func drawHalves(r *rand.Rand, f *Fault) {
	f.Count = 1 + r.IntN(len(f.Nodes)-1)
	f.Hold = span(r, 100*time.Millisecond, 30*time.Second)
}

func (w *World) halves(f *Fault) {
	nodes := w.targets(f)
	at := min(f.Count, len(nodes))
	w.cut(between(nodes[:at], nodes[at:]), f.Hold)
}

// bridge leaves one node that reaches both halves.
func (w *World) bridge(f *Fault) {
	nodes := w.targets(f)
	at := 1 + (len(nodes)-1)/2
	w.cut(between(nodes[1:at], nodes[at:]), f.Hold)
}

func drawSlowLinks(r *rand.Rand, f *Fault) {
	f.Delay, f.Loss = span(r, time.Millisecond, 400*time.Millisecond), r.Float64()/4
	f.Hold = span(r, time.Second, 30*time.Second)
}

func (w *World) slowLinks(f *Fault) {
	n, delay := w.target(f), time.Duration(f.Delay)
	for _, p := range between([]*Node{n}, w.others(n)) {
		w.network.Shape(p[0], p[1], delay, delay, f.Loss)
	}
	time.Sleep(time.Duration(f.Hold))
	for _, p := range between([]*Node{n}, w.others(n)) {
		w.network.Shape(p[0], p[1], usualDelay, usualJitter, 0)
	}
}

// drawResets: Count times, Delay after each other, the connections between two
// nodes break.
func drawResets(r *rand.Rand, f *Fault) {
	f.Count, f.Delay = 1+r.IntN(10), span(r, 0, time.Second)
	f.Hold = Duration(f.Count) * f.Delay
}

func (w *World) resets(f *Fault) {
	nodes := w.targets(f)
	for i := range f.Count {
		w.network.Reset(nodes[i%len(nodes)].name, nodes[(i+1)%len(nodes)].name)
		time.Sleep(time.Duration(f.Delay))
	}
}
