package sim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"
)

// Schedule is everything that is chosen about a run: the seed, from which cluster,
// clients and delays come, and the faults, which come from it too unless somebody
// has changed them. Its JSON is what a failed run leaves as schedule.json.
type Schedule struct {
	Seed   uint64   `json:"seed"`
	Length Duration `json:"length"` // virtual time in which clients work
	Faults []Fault  `json:"faults"` // in the order of their times
}

// Fault is one fault: what happens, when, to whom and how hard. What a number
// means is for its nemesis to say.
type Fault struct {
	At      Duration `json:"at"` // since the clients began
	Nemesis string   `json:"nemesis"`
	// Nodes are all nodes in the order in which they are hit. "leader" is the one
	// that leads by then.
	Nodes  []string `json:"nodes"`
	Hold   Duration `json:"hold,omitempty"` // how long it lasts
	Delay  Duration `json:"delay,omitempty"`
	Loss   float64  `json:"loss,omitempty"` // of what is sent
	Count  int      `json:"count,omitempty"`
	Silent bool     `json:"silent,omitempty"` // peers hear nothing of a crash
	Deaf   bool     `json:"deaf,omitempty"`   // the direction that is cut is towards the node
}

// Duration is a time.Duration whose JSON is text such as "1.5s".
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// String is the fault on one line.
func (f Fault) String() string {
	text, err := json.Marshal(f)
	if err != nil {
		panic(err) // numbers and text
	}
	return string(text)
}

// theLeader stands in Nodes for the node that leads.
const theLeader = "leader"

// NewSchedule draws the schedule of a seed, with the weights that the nemeses have
// or those that weigh answers.
func NewSchedule(seed uint64, length time.Duration, weigh func(*nemesis) float64) Schedule {
	s := Schedule{Seed: seed, Length: Duration(length)}
	r := numbers(seed, forFaults)
	size := clusterSize(seed)
	pause := 2*time.Second + time.Duration(r.Int64N(int64(30*time.Second)))
	for range 1 + r.IntN(2) {
		for at := pauseFor(r, pause); at < length; at += pauseFor(r, pause) {
			f := draw(r, size, weigh)
			f.At = Duration(at)
			s.Faults = append(s.Faults, f)
			at += time.Duration(f.Hold)
		}
	}
	s.sort()
	return s
}

func (s *Schedule) sort() {
	slices.SortStableFunc(s.Faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
}

func pauseFor(r *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(r.ExpFloat64() * float64(mean))
}

// draw draws a fault for a cluster of a size.
func draw(r *rand.Rand, size int, weigh func(*nemesis) float64) Fault {
	total := 0.0
	for i := range nemeses {
		total += weigh(&nemeses[i])
	}
	pick := r.Float64() * total
	chosen := &nemeses[len(nemeses)-1]
	for i := range nemeses {
		if pick -= weigh(&nemeses[i]); pick < 0 {
			chosen = &nemeses[i]
			break
		}
	}
	f := Fault{Nemesis: chosen.name}
	for _, i := range r.Perm(size) {
		f.Nodes = append(f.Nodes, nodeName(i))
	}
	if r.Float64() < chosen.leader {
		f.Nodes = append([]string{theLeader}, f.Nodes...)
	}
	chosen.draw(r, &f)
	return f
}

func nodeName(i int) string { return fmt.Sprintf("node-%d", i+1) }

const maxClusterSize = 5

// clusterSize is how many nodes a seed's cluster has.
func clusterSize(seed uint64) int {
	if numbers(seed, forSize).IntN(4) == 0 {
		return maxClusterSize
	}
	return 3
}

// ReadSchedule reads a schedule.json.
func ReadSchedule(path string) (s Schedule, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("reading a schedule: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("reading %s: %w", path, err)
	}
	for _, f := range s.Faults {
		if find(f.Nemesis) == nil {
			return s, fmt.Errorf("reading %s: there is no nemesis %q", path, f.Nemesis)
		}
	}
	s.sort()
	return s, nil
}

// Write writes the schedule as JSON, a line for each fault.
func (s Schedule) Write(path string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("writing a schedule: %w", err)
	}
	if err := os.WriteFile(path, breakLines(text), 0o600); err != nil {
		return fmt.Errorf("writing a schedule: %w", err)
	}
	return nil
}

// breakLines puts each fault on a line of its own.
func breakLines(text []byte) []byte {
	var lines []byte
	for i, c := range text {
		if c == '{' && i > 0 {
			lines = append(lines, "\n  "...)
		}
		lines = append(lines, c)
	}
	return append(lines, '\n')
}
