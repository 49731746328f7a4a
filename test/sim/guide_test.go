package sim

import (
	"slices"
	"testing"
	"time"
)

// TestCoverage: nodes and details of a message make no difference, the fault
// before it and orders of magnitude do.
func TestCoverage(t *testing.T) {
	features := func(messages ...string) []string {
		c := newCoverage()
		for i, m := range messages {
			c.Accept(nodeName(i)+".cluster", 0, m, "name", "x")
		}
		return c.features()
	}
	if one, same := features("lost: a"), features("lost: b"); !slices.Equal(one, same) || len(one) != 2 {
		t.Errorf("%q and %q", one, same)
	}
	if four, five := features("a", "a", "a", "a"), features("a", "a", "a", "a", "a"); !slices.Equal(four, five) {
		t.Errorf("%q and %q", four, five)
	}
	if without, with := features("a"), features(nemesisBegins, "a"); slices.Equal(without, with) {
		t.Errorf("%q either way", with)
	}
}

// TestGuide: nemeses that show something new come more often, and what is known
// is worth nothing.
func TestGuide(t *testing.T) {
	g := newGuide()
	plain := g.next(1, time.Hour)
	fresh := g.learn(Schedule{Seed: 1, Faults: []Fault{{Nemesis: "replace"}}}, []string{"a", "b"})
	if again := g.learn(plain, []string{"a", "b"}); fresh != 2 || again != 0 || len(g.corpus) != 1 {
		t.Errorf("%d and %d are new, %d schedules are kept", fresh, again, len(g.corpus))
	}
	if replace, crash := find("replace"), find("crash-one"); g.weigh(replace) <= replace.weight || g.weigh(crash) != crash.weight {
		t.Errorf("weights are %v and %v", g.weigh(replace), g.weigh(crash))
	}
	g.learn(plain, []string{"c"})
	mixed := 0
	for seed := range uint64(50) {
		s := g.next(seed, time.Hour)
		if slices.ContainsFunc(s.Faults, func(f Fault) bool { return f.At == plain.Faults[0].At }) {
			mixed++
		}
	}
	if mixed == 0 {
		t.Error("no schedule holds faults of an earlier one")
	}
}
