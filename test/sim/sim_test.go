package sim

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/test/history"
)

var (
	seedFlag    = flag.Uint64("sim.seed", 1, "first seed")
	stepFlag    = flag.Uint64("sim.step", 1, "distance to the next seed")
	runsFlag    = flag.Int("sim.runs", 4, "runs; 0: as many as sim.minutes allows")
	minutesFlag = flag.Float64("sim.minutes", 0, "real minutes after which no further run begins; 0: no limit")
	lengthFlag  = flag.Duration("sim.length", 10*time.Minute, "virtual time under faults of one run")
	levelFlag   = flag.String("sim.log", "info", "level of the nodes' logs")
	untilFlag   = flag.Bool("sim.until-found", false, "end with the first run that has problems")
	keepFlag    = flag.Bool("sim.keep", false, "keep the folders of good runs too")
)

// checkLimit is how long the search for an order may take for one object.
const checkLimit = 30 * time.Second

func TestSimulation(t *testing.T) {
	warmUp(t)
	began := time.Now()
	var total figures
	for i := 0; more(i, began) && !(*untilFlag && t.Failed()); i++ {
		seed := *seedFlag + uint64(i)**stepFlag
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			f := simulate(t, seed, *lengthFlag)
			total.add(f)
			fmt.Printf("seed %d: %v real=%v\n", seed, f, time.Since(began).Round(time.Second))
		})
	}
	fmt.Println("sim:", total)
}

func more(run int, began time.Time) bool {
	if *runsFlag > 0 && run >= *runsFlag {
		return false
	}
	return *minutesFlag == 0 || time.Since(began).Minutes() < *minutesFlag
}

// simulate runs one seed and checks what happened.
func simulate(t *testing.T, seed uint64, length time.Duration) figures {
	t.Helper()
	dir, err := os.MkdirTemp("", fmt.Sprintf("cofre-sim-%d-", seed))
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	fmt.Fprintf(log, "seed %d, length %v\n", seed, length)
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.LevelFromString(*levelFlag), Output: log})

	var w *World
	var took time.Duration
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w = newWorld(dir, seed, logger)
		w.run(seed, length)
		took = time.Since(began)
		if err := w.close(); err != nil {
			w.fail("close", "%v", err)
		}
	})
	f := figures{Runs: 1, Time: took}
	judge(t, w, dir, seed, &f)
	return f
}

// judge checks the history, and leaves the folder of a run that has problems.
func judge(t *testing.T, w *World, dir string, seed uint64, f *figures) {
	t.Helper()
	if w.ledger != nil {
		w.problems = append(w.problems, w.ledger.Finish()...)
		w.problems = append(w.problems, w.ledger.Linearizable(dir, checkLimit)...)
	}
	for _, text := range w.objects.Problems() {
		w.problems = append(w.problems, history.Problem{Check: "client", Text: text})
	}
	for _, op := range w.recorder.Ops() {
		f.Operations++
		if op.Outcome == history.Answered {
			f.Answered++
		}
	}
	for _, count := range w.faults {
		f.Faults += count
	}
	f.Violations = len(w.problems)
	if f.Violations == 0 && !*keepFlag {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
		return
	}
	if err := save(w, dir); err != nil {
		t.Error(err)
	}
	for i, p := range w.problems {
		if i == 20 {
			t.Errorf("… and %d more", len(w.problems)-i)
			break
		}
		t.Error(p)
	}
	t.Logf("history, log and pictures: %s", dir)
	t.Logf("again: go test ./test/sim -run TestSimulation -sim.runs 1 -sim.seed %d -sim.length %v -sim.log debug", seed, *lengthFlag)
}

func save(w *World, dir string) error {
	file, err := os.Create(filepath.Join(dir, "history.jsonl"))
	if err != nil {
		return err
	}
	problems := ""
	for _, p := range w.problems {
		problems += p.String() + "\n"
	}
	return errors.Join(history.Write(file, w.recorder.Ops()), file.Close(),
		os.WriteFile(filepath.Join(dir, "problems"), []byte(problems), 0o600))
}

// warmUp makes, outside of any bubble, what the process makes once and keeps:
// encoders and pools that belong to one bubble would end the next one.
func warmUp(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	w := newWorld(dir, 1, hclog.NewNullLogger())
	for _, n := range w.nodes {
		n.cfg.Timing = cluster.Timing{} // the shipped one: this is real time
	}
	w.run(1, time.Second)
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	if len(w.problems) > 0 {
		t.Fatalf("without faults: %v", w.problems)
	}
}
