package faults

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// nemesis is a kind of fault. It injects it, waits for a time that it chooses,
// takes it back, and returns. Several run at once.
type nemesis struct {
	name   string
	weight int
	// able says whether this cluster can suffer it; nil where all can.
	able func(w *world) bool
	run  func(w *world, r *rand.Rand)
}

// nemeses are all of them. A new one is a row here.
var nemeses = []nemesis{
	{"kill-one", 3, nil, func(w *world, r *rand.Rand) { w.killSome(r, w.some(r)) }},
	{"kill-leader", 5, nil, func(w *world, r *rand.Rand) { w.killSome(r, w.leader(r)) }},
	{"kill-majority", 1, nil, func(w *world, r *rand.Rand) { w.killSome(r, w.majority(r)...) }},
	{"kill-all", 1, nil, func(w *world, r *rand.Rand) { w.killSome(r, w.members()...) }},
	{"stop-one", 2, nil, func(w *world, r *rand.Rand) { w.stopSome(r, w.some(r)) }},
	{"stop-leader", 2, nil, func(w *world, r *rand.Rand) { w.stopSome(r, w.leader(r)) }},
	{"pause-one", 2, nil, func(w *world, r *rand.Rand) { w.pauseSome(r, w.some(r)) }},
	{"pause-leader", 4, nil, func(w *world, r *rand.Rand) { w.pauseSome(r, w.leader(r)) }},
	{"pause-leaders", 3, nil, (*world).pauseLeaders},
	{"pause-majority", 1, nil, func(w *world, r *rand.Rand) { w.pauseSome(r, w.majority(r)...) }},
	{"rolling-restart", 1, nil, (*world).rollingRestart},
	{"left-behind", 1, nil, (*world).leaveBehind},
	{"wrong-pin", 2, nil, (*world).wrongPIN},

	{"replace", 2, nil, (*world).replace},
	{"replace-leader", 1, nil, (*world).replaceLeader},
	{"resize", 1, nil, (*world).resize},
	{"upgrade", 1, upgradable, (*world).upgrade},

	{"isolate-leader", 4, networked, func(w *world, r *rand.Rand) { w.isolate(r, w.leader(r)) }},
	{"isolate-one", 2, networked, func(w *world, r *rand.Rand) { w.isolate(r, w.some(r)) }},
	{"halves", 3, networked, (*world).halves},
	{"one-way", 4, networked, (*world).oneWay},
	{"bridge", 2, networked, (*world).bridge},
	{"ring", 2, fiveNodes, (*world).ring},
	{"clients-cut", 2, networked, (*world).cutClients},
	{"power-loss", 2, networked, (*world).powerLoss},
	{"slow-links", 3, networked, (*world).slowLinks},
	{"lossy-links", 3, networked, (*world).lossyLinks},
	{"narrow-links", 1, networked, (*world).narrowLinks},
	{"resets", 3, networked, (*world).resets},

	{"full-disk", 3, networked, (*world).fullDisk},
	{"disk-errors", 4, withFrailDisks, (*world).diskErrors},
	{"disk-hangs", 4, withFrailDisks, (*world).diskHangs},
	{"lost-writes", 5, withFrailDisks, (*world).loseWrites},
	{"bit-rot", 4, withFrailDisks, (*world).rotBits},

	{"hsm-removed", 3, withModule, misbehaves(moduleRemoved)},
	{"hsm-failing", 2, withModule, misbehaves(moduleFailing)},
	{"hsm-hanging", 3, withModule, misbehaves(moduleHanging)},
	{"hsm-flaky", 2, withModule, misbehaves(moduleFlaky)},
	{"hsm-slow", 1, withModule, misbehaves(moduleSlow)},
	{"hsm-forgets-sessions", 3, withModule, (*world).forgetsSessions},
	{"hsm-logs-out", 2, withModule, (*world).logsOut},

	{"clocks", 6, withClocks, (*world).stepClocks},
}

func networked(w *world) bool      { return w.network != nil }
func fiveNodes(w *world) bool      { return w.network != nil && len(w.members()) >= 4 }
func withClocks(w *world) bool     { return w.victims[0].clock != nil }
func withModule(w *world) bool     { return w.victims[0].module != nil }
func withFrailDisks(w *world) bool { return w.victims[0].frail != nil }

// chosen says whether a nemesis may act.
func (w *world) chosen(n nemesis) bool { return len(w.only) == 0 || slices.Contains(w.only, n.name) }

// torment runs nemeses one after the other until ctx is done.
func (w *world) torment(ctx context.Context, r *rand.Rand, pause time.Duration) {
	able := slices.DeleteFunc(slices.Clone(nemeses), func(n nemesis) bool { return !w.chosen(n) || n.able != nil && !n.able(w) })
	total := 0
	for _, n := range able {
		total += n.weight
	}
	for sleep(ctx, time.Duration(r.ExpFloat64()*float64(pause))) {
		pick := r.IntN(total)
		for _, n := range able {
			if pick -= n.weight; pick < 0 {
				w.note("%s", n.name)
				w.injected(n.name)
				// What a nemesis draws is no part of the schedule: which nodes it meets,
				// and so how much it draws, is not the seed's alone.
				n.run(w, rand.New(rand.NewPCG(r.Uint64(), 0)))
				w.note("%s is over", n.name)
				break
			}
		}
	}
}

// span is a time between two, the shorter ones more likely.
func span(r *rand.Rand, from, to time.Duration) time.Duration {
	f := r.Float64()
	return (from + time.Duration(f*f*float64(to-from))).Round(time.Millisecond)
}

// while waits for a time that is long enough for elections, and short enough for
// many faults in a minute.
func (w *world) while(r *rand.Rand) {
	d := span(r, 200*time.Millisecond, 12*time.Second)
	w.note("  for %v", d)
	sleep(context.Background(), d)
}

// shuffled answers the members in a random order.
func (w *world) shuffled(r *rand.Rand) []*victim {
	victims := w.members()
	r.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
	return victims
}

func (w *world) majority(r *rand.Rand) []*victim {
	victims := w.shuffled(r)
	return victims[:len(victims)/2+1]
}

func (w *world) others(v *victim) []*victim {
	return slices.DeleteFunc(w.members(), func(o *victim) bool { return o == v })
}

func (w *world) killSome(r *rand.Rand, victims ...*victim) {
	w.hold(victims, w.kill, func() time.Duration { return span(r, 0, 8*time.Second) }, w.start)
}

func (w *world) stopSome(r *rand.Rand, victims ...*victim) {
	w.hold(victims, w.stop, func() time.Duration { return span(r, 0, 5*time.Second) }, w.start)
}

// pauseSome pauses for longer than the lease of 300 ms.
func (w *world) pauseSome(r *rand.Rand, victims ...*victim) {
	w.hold(victims, w.pause, func() time.Duration { return span(r, 350*time.Millisecond, 8*time.Second) }, w.resume)
}

// pauseLeaders pauses whoever leads, and its successors, each before or after the
// last one goes on.
func (w *world) pauseLeaders(r *rand.Rand) {
	var pauses sync.WaitGroup
	defer pauses.Wait()
	for range 3 + r.IntN(5) {
		leader, own := w.leader(r), rand.New(rand.NewPCG(r.Uint64(), 0))
		pauses.Go(func() { w.pauseSome(own, leader) })
		sleep(context.Background(), span(r, 300*time.Millisecond, 4*time.Second))
	}
}

// rollingRestart stops and starts all nodes, the next one when the last is ready,
// or does not become so because of another fault.
func (w *world) rollingRestart(r *rand.Rand) {
	for _, v := range w.shuffled(r) {
		w.hold([]*victim{v}, w.stop, func() time.Duration { return 0 }, w.start)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		_ = v.AwaitReady(ctx)
		cancel()
	}
}

// leaveBehind keeps a node down for long, so that the others compact their logs
// and it may have to be installed from a snapshot.
func (w *world) leaveBehind(r *rand.Rand) {
	w.hold([]*victim{w.some(r)}, w.kill, func() time.Duration { return span(r, 20*time.Second, 90*time.Second) }, w.start)
}
