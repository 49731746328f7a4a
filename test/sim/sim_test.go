package sim

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/cluster"
)

var (
	seedFlag     = flag.Uint64("sim.seed", 1, "first seed")
	stepFlag     = flag.Uint64("sim.step", 1, "distance to the next seed")
	runsFlag     = flag.Int("sim.runs", 4, "runs; 0: as many as sim.minutes allows")
	minutesFlag  = flag.Float64("sim.minutes", 0, "real minutes after which no further run begins; 0: no limit")
	lengthFlag   = flag.Duration("sim.length", 10*time.Minute, "virtual time under faults of one run")
	levelFlag    = flag.String("sim.log", "info", "level of the nodes' logs")
	untilFlag    = flag.Bool("sim.until-found", false, "end with the first run that has problems")
	keepFlag     = flag.Bool("sim.keep", false, "keep the folders of good runs too")
	scheduleFlag = flag.String("sim.schedule", "", "run the schedule of this file, and not those of seeds")
	shrinkFlag   = flag.Bool("sim.shrink", false, "look for a shorter schedule that fails as the first one does")
	guidedFlag   = flag.Bool("sim.guided", false, "let what a run has shown choose the next one's faults")
	repeatsFlag  = flag.Int("sim.repeats", 3, "runs after which a schedule counts as one that does not fail")
)

// checkLimit is how long the search for an order may take for one object.
const checkLimit = 30 * time.Second

func TestSimulation(t *testing.T) {
	warmUp(t)
	partitions := makePartitions(t)
	began := time.Now()
	if *shrinkFlag {
		shrinkFailure(t, began, partitions)
		return
	}
	var total figures
	guide := newGuide()
	for i := 0; more(i, began) && !(*untilFlag && t.Failed()); i++ {
		s := schedule(t, i)
		if *guidedFlag {
			s = guide.next(s.Seed, *lengthFlag)
		}
		t.Run(fmt.Sprintf("seed=%d", s.Seed), func(t *testing.T) {
			o := simulate(t, s, partitions)
			o.report(t)
			total.add(o.figures)
			fresh := guide.learn(s, o.features)
			fmt.Printf("seed %d: %v new=%d real=%v\n", s.Seed, o.figures, fresh, time.Since(began).Round(time.Second))
		})
	}
	fmt.Println("sim:", total)
}

func more(run int, began time.Time) bool {
	if *runsFlag > 0 && run >= *runsFlag {
		return false
	}
	return inTime(began)
}

func inTime(began time.Time) bool {
	return *minutesFlag == 0 || time.Since(began).Minutes() < *minutesFlag
}

// schedule is what the run of a number does.
func schedule(t *testing.T, run int) Schedule {
	t.Helper()
	if *scheduleFlag == "" {
		return NewSchedule(*seedFlag+uint64(run)**stepFlag, *lengthFlag, usualWeight)
	}
	s, err := ReadSchedule(*scheduleFlag)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shrinkFailure looks for a short schedule that breaks the promise that the first
// one breaks, and leaves it in a folder.
func shrinkFailure(t *testing.T, began time.Time, partitions string) {
	var check string
	fails := func(s Schedule) bool {
		for range *repeatsFlag {
			o := simulate(t, s, partitions)
			at := slices.IndexFunc(o.problems, func(p problem) bool { return check == "" || p.Check == check })
			if err := os.RemoveAll(o.dir); err != nil {
				t.Error(err)
			}
			if at >= 0 {
				check = o.problems[at].Check
				fmt.Printf("shrink: %d faults in %v: %v\n", len(s.Faults), time.Duration(s.Length), o.problems[at])
				return true
			}
		}
		return false
	}
	s := schedule(t, 0)
	if !fails(s) {
		t.Fatalf("the schedule of seed %d does not fail in %d runs", s.Seed, *repeatsFlag)
	}
	s = shrink(s, fails, func() bool { return inTime(began) })
	dir, err := os.MkdirTemp("", fmt.Sprintf("cofre-sim-%d-short-", s.Seed))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "schedule.json")
	if err := s.Write(path); err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Faults {
		fmt.Println("shrink:", f)
	}
	fmt.Printf("shrink: %d faults are left; again: go test ./test/sim -run TestSimulation -sim.schedule %s\n", len(s.Faults), path)
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
	w.run(Schedule{Seed: 1, Length: Duration(time.Second)})
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	if len(w.problems) > 0 {
		t.Fatalf("without faults: %v", w.problems)
	}
}

// makePartitions makes a folder with the partition files that the nodes of all
// runs begin with. Each holds a transport key: an RSA key takes as long as
// minutes of cluster time.
func makePartitions(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	w := newWorld(dir, 1, hclog.NewNullLogger())
	for i := range maxClusterSize {
		n := &Node{name: nodeName(i), world: w}
		p, err := n.openPartition(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.TransportKey(t.Context())
		if err := errors.Join(err, p.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
