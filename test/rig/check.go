package rig

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
)

// Check brings every node up and holds what a cluster promises against what
// happened in the test. It runs at the end of every test, and a test may run it
// in between.
func (c *Cluster) Check(t testing.TB) {
	t.Helper()
	c.Revive(t)
	l := c.checkReplicas(t)
	c.checkCheckpoints(t, l)
	c.checkJournal(t, l)
}

// checkCheckpoints demands that the checkpoint that a node shows, where one has
// been published, is of the ledger that there is (promise P4).
func (c *Cluster) checkCheckpoints(t testing.TB, l *Ledger) {
	t.Helper()
	for _, n := range c.Nodes {
		note, err := n.Run("", "ledger", "checkpoint")
		if err != nil && strings.Contains(err.Error(), cluster.ErrNoCheckpoint.Error()) {
			continue
		}
		if err != nil {
			t.Fatalf("reading the checkpoint: %v", err)
		}
		text, _, _ := strings.Cut(string(note), "\n\n")
		checkpoint, err := ledger.ParseCheckpoint(text + "\n")
		if err != nil {
			t.Errorf("%s's checkpoint: %v", n.Name, err)
			continue
		}
		if size := int64(len(l.Records)); checkpoint.Size > size {
			t.Errorf("%s's checkpoint covers %d records of %d", n.Name, checkpoint.Size, size)
			continue
		}
		if root, err := tlog.TreeHash(checkpoint.Size, l.Tree); err != nil || root != checkpoint.Root {
			t.Errorf("%s's checkpoint has root %v at %d records, the ledger %v, %v", n.Name, checkpoint.Root, checkpoint.Size, root, err)
		}
	}
}

// checkReplicas waits until all nodes have applied the same entries and demands
// that they are identical (promise P7), that every node keeps the same records,
// and that they hash to the root that the nodes report (promise P4). It answers
// the ledger of the first node.
//
// A request whose client gave up may still be committed, and so may the work of
// the steward: what the nodes keep is compared only when nothing was applied
// while it was read.
func (c *Cluster) checkReplicas(t testing.TB) *Ledger {
	t.Helper()
	var states []fsm.Status
	var ledgers []*Ledger
	Await(t, startLimit, "the nodes to be level", func() error {
		var err error
		if states, err = c.level(); err != nil {
			return err
		}
		ledgers = ledgers[:0]
		for _, n := range c.Nodes {
			l, err := n.Ledger()
			if err != nil {
				return fmt.Errorf("reading the ledger: %w", err)
			}
			ledgers = append(ledgers, l)
		}
		after, err := c.level()
		if err == nil && after[0].Applied != states[0].Applied {
			err = fmt.Errorf("applied up to %d while the ledgers were read, and %d before", after[0].Applied, states[0].Applied)
		}
		return err
	})
	for i, s := range states {
		if s != states[0] {
			t.Errorf("replicas differ: %s has %+v, %s has %+v", c.Nodes[i].Name, s, c.Nodes[0].Name, states[0])
		}
		if l := ledgers[i]; int64(len(l.Records)) != s.LedgerSize || l.Root != s.LedgerRoot {
			t.Errorf("%s prints %d records with root %v, and reports %d with %v",
				c.Nodes[i].Name, len(l.Records), l.Root, s.LedgerSize, s.LedgerRoot)
		}
	}
	return ledgers[0]
}

// level answers the state of every node, or an error while they have not all
// applied the same entries.
func (c *Cluster) level() ([]fsm.Status, error) {
	states := make([]fsm.Status, 0, len(c.Nodes))
	for _, n := range c.Nodes {
		status, err := n.Status()
		switch {
		case err != nil:
			return nil, err
		case status.Diverged:
			return nil, fmt.Errorf("%s says that it has diverged", n.Name)
		case len(states) > 0 && status.FSM.Applied != states[0].Applied:
			return nil, fmt.Errorf("applied up to %d and %d", status.FSM.Applied, states[0].Applied)
		}
		states = append(states, status.FSM)
	}
	return states, nil
}

// checkJournal demands that every answer has the records that it must have
// (promise P1).
func (c *Cluster) checkJournal(t testing.TB, l *Ledger) {
	t.Helper()
	count := l.ByRequest()
	for id, n := range count {
		if n > 1 {
			t.Errorf("request %s has %d records", id, n)
		}
	}
	ids := make(map[string]bool)
	for _, a := range c.Journal.Answers() {
		switch {
		case a.RequestID == "":
			t.Errorf("an answer without a request id: %+v", a)
		case ids[a.RequestID]:
			t.Errorf("two answers have the request id of %+v", a)
		case a.Outcome() == Recorded && count[a.RequestID] == 0:
			t.Errorf("no record of an answer that a client saw: %+v", a)
		case a.Outcome() == Refused && count[a.RequestID] != 0:
			t.Errorf("a record of a call that was not authenticated: %+v", a)
		}
		ids[a.RequestID] = true
	}
	events := make(map[string]bool, len(l.Events))
	for i := range l.Events {
		if id := l.Events[i].EventID; id == "" || events[id] {
			t.Errorf("record %d has no event id of its own: %q", i, id)
		}
		events[l.Events[i].EventID] = true
	}
}

// checkStopped stops the cluster, which must go well, and demands that nothing of
// what the nodes wrote has a planted secret (promise P3).
func (c *Cluster) checkStopped(t testing.TB) {
	t.Helper()
	patterns := c.Secrets.patterns()
	for _, n := range slices.Concat(c.Nodes, c.Spare) {
		if n.proc.Load() == nil {
			continue // it never ran
		}
		if err := n.Stop(); err != nil {
			t.Errorf("stopping %s: %v", n.Name, err)
		}
		err := n.search(patterns, func(p pattern, where string) {
			t.Errorf("%s is in %s of %s", p.name, where, n.Name)
		})
		if err != nil {
			t.Errorf("searching what %s wrote: %v", n.Name, err)
		}
		log := tail(n.logFile(), 1<<30)
		for _, bad := range []string{"panic:", "fatal error:", "DATA RACE"} {
			if bytes.Contains(log, []byte(bad)) {
				t.Errorf("%s's log has %q", n.Name, bad)
			}
		}
	}
}
