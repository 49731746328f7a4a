package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cofre-kms/cofre/test/history"
	"github.com/cofre-kms/cofre/test/workload"
)

// Phases of a run, in virtual time.
const (
	buildLimit = time.Minute
	// healLimit is how long a cluster without faults may take until all nodes are
	// well: a node that was left behind has to be installed.
	healLimit = 2 * time.Minute
)

// run is the whole of a simulation but its checks: build, torment, heal, look.
func (w *World) run(s Schedule) {
	ctx, cancel := context.WithTimeout(context.Background(), buildLimit)
	defer cancel()
	if err := w.build(ctx); err != nil {
		w.fail("build", "%v", err)
		return
	}
	w.underFaults(s)
	w.heal()
}

// underFaults lets clients work while nemeses do, and returns when all have
// ended.
func (w *World) underFaults(s Schedule) {
	ctx, cancel := context.WithTimeout(w.ended, time.Duration(s.Length))
	defer cancel()
	var running sync.WaitGroup
	busy, workloads := w.rng.IntN(3) == 0, workload.Draw(w.rng)
	for i := range 2 + w.rng.IntN(5) {
		c := &workload.Client{
			Number: i, API: w.api, Recorder: w.recorder, Objects: w.objects,
			Rand: numbers(s.Seed, forClients+uint64(i)), Think: thinkTime(w.rng, busy), Workloads: workloads,
		}
		running.Go(func() { c.Run(ctx) })
	}
	running.Go(func() { w.torment(ctx, s.Faults) })
	running.Wait()
}

// thinkTime makes some clusters busy and lets the others rest most of the time: an
// operation takes as much of the processor as half a second of a cluster that
// rests.
func thinkTime(r *rand.Rand, busy bool) time.Duration {
	levels := []time.Duration{15 * time.Second, 2 * time.Second, 200 * time.Millisecond}
	if !busy {
		levels = levels[:2]
	}
	return levels[r.IntN(len(levels))]
}

// heal waits until the cluster is well, all faults being over, and looks at
// everything that was acknowledged on every node: liveness.
func (w *World) heal() {
	w.logger.Info("HEALING")
	ctx, cancel := context.WithTimeout(w.ended, healLimit)
	defer cancel()
	began := time.Now()
	if err := w.await(ctx, w.sound); err != nil {
		w.fail("liveness", "after %v without faults: %v", time.Since(began), err)
		return
	}
	c := &workload.Client{Number: 99, API: w.api, Recorder: w.recorder, Objects: w.objects, Rand: numbers(0, 0)}
	w.api.lossy = 0
	for _, id := range w.objects.Made() {
		w.succeeds(c.Enable(ctx, w.nodes[c.Rand.IntN(len(w.nodes))].name, id))
	}
	for _, id := range w.objects.Imported() {
		w.succeeds(c.Import(ctx, w.nodes[c.Rand.IntN(len(w.nodes))].name, id))
	}
	for _, n := range w.nodes {
		for _, id := range w.objects.Made() {
			w.succeeds(c.Describe(ctx, n.name, id))
		}
	}
	for i, s := range w.objects.Sealed() {
		w.succeeds(c.Decrypt(ctx, w.nodes[i%len(w.nodes)].name, s))
	}
	if err := w.await(ctx, w.well); err != nil {
		w.fail("liveness", "after the last operation: %v", err)
		return
	}
	w.compare()
}

// succeeds: without faults every operation does.
func (w *World) succeeds(op *history.Op) {
	if op.Outcome != history.Answered || op.Code != "" {
		w.fail("liveness", "without faults: %v", op)
	}
}

// compare: all replicas are the same (P7), and the ledger explains the history.
func (w *World) compare() {
	reference := w.nodes[0].running().store()
	status := reference.Status()
	for _, n := range w.nodes[1:] {
		if other := n.running().store().Status(); other != status {
			w.fail("replicas", "%s %+v, %s %+v", w.nodes[0].name, status, n.name, other)
		}
	}
	w.ledger = history.NewLedger(w.recorder.Ops())
	err := reference.Events(0, func(position int64, event []byte) (bool, error) {
		w.ledger.Add(position, event)
		return true, nil
	})
	if err != nil {
		w.fail("ledger", "reading it: %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, history.CheckHeads(w.heads, status.LedgerSize, reference)...)
}

// figures are the line that a run, or many, ends with.
type figures struct {
	Runs       int
	Time       time.Duration // virtual
	Operations int
	Answered   int
	Faults     int
	Violations int
}

func (f *figures) add(g figures) {
	f.Runs += g.Runs
	f.Time += g.Time
	f.Operations += g.Operations
	f.Answered += g.Answered
	f.Faults += g.Faults
	f.Violations += g.Violations
}

func (f figures) String() string {
	return fmt.Sprintf("runs=%d cluster-time=%.2fh operations=%d answered=%d faults=%d violations=%d",
		f.Runs, f.Time.Hours(), f.Operations, f.Answered, f.Faults, f.Violations)
}
