package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/test/history"
	"github.com/cofre-kms/cofre/test/workload"
)

const (
	// clientCount clients work at the same time, and think for thinkTime on average:
	// a load that leaves a small machine time for its faults.
	clientCount = 8
	thinkTime   = 80 * time.Millisecond
	// healLimit is how long a cluster without faults may take until all nodes are
	// well: a node that was left behind has to be installed.
	healLimit = 90 * time.Second
	// checkLimit is how long the search for an order may take for one object.
	checkLimit = 30 * time.Second
	// tormentors inject faults at the same time.
	tormentors = 2
)

// Streams of random numbers that one seed gives.
const (
	forConfig = iota << 16
	forClients
	forFaults
)

func numbers(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// torture lets clients work while nemeses do, and returns when all have ended.
func (w *world) torture(api *api, seed uint64, length time.Duration) {
	api.patience = patienceUnderFaults
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	var all sync.WaitGroup
	for i := range clientCount {
		c := w.client(api, i, numbers(seed, forClients+uint64(i)))
		all.Go(func() { c.Run(ctx) })
	}
	for i := range tormentors {
		r := numbers(seed, forFaults+uint64(i))
		pause := time.Second + time.Duration(r.Int64N(int64(5*time.Second)))
		all.Go(func() { w.torment(ctx, r, pause) })
	}
	all.Wait()
}

func (w *world) client(api *api, number int, r *rand.Rand) *workload.Client {
	return &workload.Client{
		Number: number, API: api, Recorder: w.recorder, Objects: w.objects, Rand: r, Think: thinkTime,
	}
}

// heal waits until the cluster is well, all faults being over, and looks at
// everything that was acknowledged: liveness, and ciphertexts for ever.
func (w *world) heal(api *api) {
	api.patience = patienceAfterwards
	began := time.Now()
	if err := w.awaitWell(); err != nil {
		w.fail("liveness", "%v without faults: %v", time.Since(began).Round(time.Second), err)
		return
	}
	w.note("well after %v", time.Since(began))
	names := api.Nodes()
	keys, sealed := w.objects.Made(), w.objects.Sealed()
	w.parallel(api, len(keys), func(c *workload.Client, i int) {
		w.succeeds(c.Enable(context.Background(), names[i%len(names)], keys[i]))
	})
	w.parallel(api, len(keys), func(c *workload.Client, i int) {
		w.succeeds(c.Describe(context.Background(), names[(i+1)%len(names)], keys[i]))
	})
	imported := w.objects.Imported()
	w.parallel(api, len(imported), func(c *workload.Client, i int) {
		w.succeeds(c.Import(context.Background(), names[i%len(names)], imported[i]))
	})
	w.parallel(api, len(sealed), func(c *workload.Client, i int) {
		w.succeeds(c.Decrypt(context.Background(), names[i%len(names)], sealed[i]))
	})
}

func (w *world) awaitWell() error {
	ctx, cancel := context.WithTimeout(context.Background(), healLimit)
	defer cancel()
	for {
		err := w.well()
		if err == nil {
			return nil
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return err
		}
	}
}

func (w *world) well() error {
	ctx, cancel := context.WithTimeout(context.Background(), healLimit)
	defer cancel()
	for _, v := range w.members() {
		if err := v.Ready(ctx); err != nil {
			return fmt.Errorf("%s: %w", v.Name, err)
		}
	}
	return w.wellUpgraded()
}

// parallel calls fn for each index, by several clients.
func (w *world) parallel(api *api, count int, fn func(*workload.Client, int)) {
	var all sync.WaitGroup
	for i := range clientCount {
		c := w.client(api, clientCount+i, numbers(0, 0))
		all.Go(func() {
			for at := i; at < count; at += clientCount {
				fn(c, at)
			}
		})
	}
	all.Wait()
}

// succeeds: without faults every operation does.
func (w *world) succeeds(op *history.Op) {
	if op.Outcome != history.Answered || op.Code != "" {
		w.fail("liveness", "without faults: %v", op)
	}
}

// judge holds the history against the ledger, and against the models of its
// objects. Pictures of what cannot be explained go to dir.
func (w *world) judge(t *testing.T, dir string) {
	w.cluster.Check(t)
	printed, err := w.cluster.Nodes[0].Ledger()
	if err != nil {
		w.fail("ledger", "reading it: %v", err)
		return
	}
	ledger := history.NewLedger(w.recorder.Ops())
	for i, record := range printed.Records {
		ledger.Add(int64(i), record)
	}
	w.problems = append(w.problems, ledger.Finish()...)
	w.problems = append(w.problems, ledger.Linearizable(dir, checkLimit)...)
	w.problems = append(w.problems, history.CheckHeads(w.heads, int64(len(printed.Records)), printed.Tree)...)
	for _, text := range w.objects.Problems() {
		w.problems = append(w.problems, history.Problem{Check: "client", Text: text})
	}
}
