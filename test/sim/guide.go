package sim

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// coverage is what a run has shown, as its logs tell: which message came how
// often, by powers of two, and which came after which fault. Log messages are
// fixed texts, so they are the names of what a node can get into. It is a sink of
// an hclog.InterceptLogger and safe for concurrent use.
type coverage struct {
	mu     sync.Mutex
	fault  string // the nemesis that began last
	counts map[string]int
}

func newCoverage() *coverage { return &coverage{counts: make(map[string]int)} }

// Accept implements hclog.SinkAdapter.
func (c *coverage) Accept(name string, _ hclog.Level, message string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if message == nemesisBegins && len(args) >= 2 {
		c.fault = fmt.Sprint(args[1])
		return
	}
	_, part, _ := strings.Cut(name, ".") // without the node
	message, _, _ = strings.Cut(part+" "+message, ":")
	c.counts[message]++
	c.counts[message+" after "+c.fault]++
}

// features are the distinct things of the run.
func (c *coverage) features() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	features := make([]string, 0, len(c.counts))
	for what, count := range c.counts {
		features = append(features, fmt.Sprint(what, " ×", bits.Len(uint(count))))
	}
	slices.Sort(features)
	return features
}

// guide chooses schedules by what earlier ones have shown: nemeses of runs that
// showed something new come more often for a while, and schedules that did are
// mixed with new ones.
type guide struct {
	seen   map[string]bool
	worth  map[string]float64 // by nemesis
	corpus []Schedule
}

func newGuide() *guide { return &guide{seen: make(map[string]bool), worth: make(map[string]float64)} }

// Constants of the guide, chosen by hand.
const (
	corpusSize = 64
	forgetting = 0.8 // of what a nemesis is worth, at each run
	maxWorth   = 4.0 // times its usual weight, on top
)

func (g *guide) weigh(n *nemesis) float64 { return n.weight * (1 + min(g.worth[n.name], maxWorth)) }

// next answers the schedule of a seed.
func (g *guide) next(seed uint64, length time.Duration) Schedule {
	s := NewSchedule(seed, length, g.weigh)
	var kin []Schedule // of clusters of the same size
	for _, c := range g.corpus {
		if clusterSize(c.Seed) == clusterSize(seed) {
			kin = append(kin, c)
		}
	}
	r := numbers(seed, forGuide)
	if len(kin) == 0 || r.IntN(2) == 0 {
		return s
	}
	parent := kin[r.IntN(len(kin))]
	mixed := Schedule{Seed: s.Seed, Length: s.Length}
	for _, faults := range [][]Fault{parent.Faults, s.Faults} {
		for _, f := range faults {
			if r.IntN(2) == 0 {
				mixed.Faults = append(mixed.Faults, f)
			}
		}
	}
	mixed.sort()
	return mixed
}

// learn takes what a schedule has shown, and answers how much of it is new.
func (g *guide) learn(s Schedule, features []string) (fresh int) {
	for _, f := range features {
		if !g.seen[f] {
			g.seen[f] = true
			fresh++
		}
	}
	for name := range g.worth {
		g.worth[name] *= forgetting
	}
	if fresh == 0 {
		return 0
	}
	used := make(map[string]bool)
	for _, f := range s.Faults {
		used[f.Nemesis] = true
	}
	for name := range used {
		g.worth[name] += float64(fresh) / float64(len(features))
	}
	g.corpus = append(g.corpus, s)
	g.corpus = g.corpus[max(0, len(g.corpus)-corpusSize):]
	return fresh
}
