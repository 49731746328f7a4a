package e2e

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/test/history"
	"github.com/cofre-kms/cofre/test/rig"
	"github.com/cofre-kms/cofre/test/workload"
)

// TestHistoryIsLinearizable records what clients of all nodes ask and see, while
// the leader is killed and paused in turn, and looks for an order of instants
// that explains all of it (promise P2). A paused leader is the hard one: when it
// goes on it believes for a moment that it still leads.
func TestHistoryIsLinearizable(t *testing.T) {
	const rounds, clients = 6, 12
	c := rig.Start(t, rig.Config{Binary: binary})
	w := newWire(t, c)
	recorder, objects := history.NewRecorder(), workload.NewObjects()
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	for number := range clients {
		client := &workload.Client{
			Number: number, API: w, Recorder: recorder, Objects: objects,
			Rand: rand.New(rand.NewPCG(1, uint64(number))), Think: 10 * time.Millisecond,
		}
		working.Go(func() { client.Run(ctx) })
	}
	t.Cleanup(working.Wait)
	t.Cleanup(stop)
	for round := range rounds {
		leader := c.Leader(t)
		away, back := kill, (*rig.Node).Start
		if round%2 == 1 {
			away, back = (*rig.Node).Pause, (*rig.Node).Resume
		}
		must(t, away(leader))
		w.awaitProgress(60)
		must(t, back(leader))
		w.awaitProgress(200)
		c.Await(t)
	}
	stop()
	working.Wait()
	for _, problem := range objects.Problems() {
		t.Error(problem)
	}
	judge(t, c, recorder.Ops())
}

// judge compares a history with the ledger and with the models. What has no
// explanation is drawn for the eye (go test -artifacts).
func judge(t *testing.T, c *rig.Cluster, ops []*history.Op) {
	t.Helper()
	c.Check(t) // and so wait until node 1 has all records
	records, err := c.Node(1).Ledger()
	if err != nil {
		t.Fatal(err)
	}
	l := history.NewLedger(ops)
	for position, record := range records.Records {
		l.Add(int64(position), record)
	}
	for _, problem := range slices.Concat(l.Finish(), l.Linearizable(t.ArtifactDir(), time.Minute)) {
		t.Error(problem)
	}
	t.Logf("%v", l)
}

// wire is the workload's way to the nodes.
type wire struct {
	progress
	client *http.Client
	as     workload.Credentials
	urls   map[string]string
	names  []string
}

func newWire(t *testing.T, c *rig.Cluster) *wire {
	w := &wire{
		progress: progress{t: t}, client: rig.NewHTTP(t, c.CAFile, c.Journal), urls: make(map[string]string),
		as: workload.Credentials{AccessKeyID: c.Admin.AccessKeyID, Secret: c.Admin.SecretAccessKey},
	}
	for _, n := range c.Nodes {
		w.urls[n.Name] = n.URL()
		w.names = append(w.names, n.Name)
	}
	return w
}

// Nodes implements workload.API.
func (w *wire) Nodes() []string { return w.names }

// Regions implements workload.API.
func (w *wire) Regions() []string { return rig.Regions() }

// patience is how long a client waits for a node that may be paused.
const patience = time.Second

// Do implements workload.API.
func (w *wire) Do(ctx context.Context, node string, r workload.Request) workload.Answer {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer := r.Send(ctx, w.client, w.urls[node], w.as, rig.Region)
	if !answer.Lost && answer.Status == http.StatusOK {
		w.successes.Add(1)
	}
	return answer
}
