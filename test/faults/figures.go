package faults

import (
	"fmt"
	"time"

	"github.com/cofre-kms/cofre/test/history"
)

// figures are the line that a run, or many, ends with.
type figures struct {
	Runs       int
	Time       time.Duration // of clusters that ran
	Operations int
	Answered   int
	Faults     int
	Violations int
	// Without is what this machine does not permit to fail.
	Without string
}

func (w *world) figures() figures {
	f := figures{Runs: 1, Time: time.Since(w.began), Operations: len(w.recorder.Ops())}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, count := range w.faults {
		f.Faults += count
	}
	f.Violations = len(w.problems)
	return f
}

func (f *figures) add(g figures) {
	f.Runs += g.Runs
	f.Time += g.Time
	f.Operations += g.Operations
	f.Answered += g.Answered
	f.Faults += g.Faults
	f.Violations += g.Violations
	f.Without = g.Without
}

func (f figures) String() string {
	return fmt.Sprintf("runs=%d cluster-time=%.2fh operations=%d answered=%d faults=%d%s violations=%d",
		f.Runs, f.Time.Hours(), f.Operations, f.Answered, f.Faults, f.Without, f.Violations)
}

// without says what cannot fail on this machine, as figures do.
func (t tools) without() string {
	switch {
	case !t.root:
		return " without=networks,disks"
	case !t.frail:
		return " without=disk-errors,disk-hangs,lost-writes,bit-rot"
	}
	return ""
}

// answered counts the operations of a history that were; all must have ended.
func answered(ops []*history.Op) (count int) {
	for _, op := range ops {
		if op.Outcome == history.Answered {
			count++
		}
	}
	return count
}
