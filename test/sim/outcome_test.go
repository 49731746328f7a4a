package sim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/test/history"
)

type problem = history.Problem

// outcome is what came of one run.
type outcome struct {
	schedule Schedule
	world    *World
	dir      string // log, history and pictures
	problems []problem
	figures  figures
	features []string // what the logs have shown
}

// simulate runs a schedule, with copies of the partition files of a folder, and
// checks what happened.
func simulate(t *testing.T, s Schedule, partitions string) *outcome {
	t.Helper()
	o := &outcome{schedule: s}
	var err error
	if o.dir, err = os.MkdirTemp("", fmt.Sprintf("cofre-sim-%d-", s.Seed)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(o.dir, os.DirFS(partitions)); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(o.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if err := s.Write(filepath.Join(o.dir, "schedule.json")); err != nil {
		t.Fatal(err)
	}
	seen := newCoverage()
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.LevelFromString(*levelFlag), Output: log})
	logger.RegisterSink(seen)
	o.figures.Runs = 1
	synctest.Test(t, func(*testing.T) {
		began := time.Now()
		o.world = newWorld(o.dir, s.Seed, logger)
		o.world.run(s)
		o.figures.Time = time.Since(began)
		if err := o.world.close(); err != nil {
			o.world.fail("close", "%v", err)
		}
	})
	o.features = seen.features()
	o.judge()
	return o
}

// judge checks the history.
func (o *outcome) judge() {
	w := o.world
	o.problems = w.problems
	if w.ledger != nil {
		o.problems = append(o.problems, w.ledger.Finish()...)
		o.problems = append(o.problems, w.ledger.Linearizable(o.dir, checkLimit)...)
	}
	for _, text := range w.objects.Problems() {
		o.problems = append(o.problems, problem{Check: "client", Text: text})
	}
	for _, op := range w.recorder.Ops() {
		o.figures.Operations++
		if op.Outcome == history.Answered {
			o.figures.Answered++
		}
	}
	for _, count := range w.faults {
		o.figures.Faults += count
	}
	o.figures.Violations = len(o.problems)
}

// report fails the test where there are problems, and leaves the folder then.
func (o *outcome) report(t *testing.T) {
	t.Helper()
	if len(o.problems) == 0 && !*keepFlag {
		if err := os.RemoveAll(o.dir); err != nil {
			t.Error(err)
		}
		return
	}
	if err := o.save(); err != nil {
		t.Error(err)
	}
	for i, p := range o.problems {
		if i == 20 {
			t.Errorf("… and %d more", len(o.problems)-i)
			break
		}
		t.Error(p)
	}
	for _, f := range o.schedule.Faults {
		t.Log(f)
	}
	t.Logf("schedule, history, log and pictures: %s", o.dir)
	t.Logf("again: go test ./test/sim -run TestSimulation -sim.runs 1 -sim.schedule %s/schedule.json -sim.log debug", o.dir)
}

func (o *outcome) save() error {
	file, err := os.Create(filepath.Join(o.dir, "history.jsonl"))
	if err != nil {
		return err
	}
	problems := ""
	for _, p := range o.problems {
		problems += p.String() + "\n"
	}
	return errors.Join(history.Write(file, o.world.recorder.Ops()), file.Close(),
		os.WriteFile(filepath.Join(o.dir, "problems"), []byte(problems), 0o600))
}
