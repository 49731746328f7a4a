package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/test/rig"
)

// Growth of a node that serves an even load, from the first tenth of the time to
// its end. Memory that the database and the caches may fill is allowed for.
const (
	maxGoroutineGrowth = 200
	maxHeapGrowth      = 256 << 20 // bytes
)

// figures are what must stay bounded.
type figures struct{ goroutines, heap, resident, descriptors float64 }

// TestSoak holds a cluster under load (-soak says how long) and demands that its
// nodes do not grow.
func TestSoak(t *testing.T) {
	c := rig.Start(t, rig.Config{Binary: binary})
	l := startLoad(t, c, func(error) bool { return false })
	end := time.Now().Add(*soak)
	run(t, l, time.Now().Add(*soak/10))
	before := read(t, c)
	run(t, l, end)
	after := read(t, c)
	l.end()
	for i, n := range c.Nodes {
		t.Logf("%s: %v, before %v", n.Name, after[i], before[i])
		if grown := after[i].goroutines - before[i].goroutines; grown > maxGoroutineGrowth {
			t.Errorf("%s has %.0f goroutines more", n.Name, grown)
		}
		if grown := after[i].heap - before[i].heap; grown > maxHeapGrowth {
			t.Errorf("%s's heap has grown by %.0f bytes", n.Name, grown)
		}
	}
}

func (f figures) String() string {
	return fmt.Sprintf("%.0f goroutines, %.1f MiB heap, %.1f MiB resident, %.0f descriptors",
		f.goroutines, f.heap/(1<<20), f.resident/(1<<20), f.descriptors)
}

// run lets the load go on until a time.
func run(t *testing.T, l *load, end time.Time) {
	t.Helper()
	for time.Now().Before(end) {
		l.awaitProgress(10)
	}
}

// read reads every node's figures.
func read(t *testing.T, c *rig.Cluster) []figures {
	t.Helper()
	var all []figures
	for _, n := range c.Nodes {
		m, err := n.Metrics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		f := figures{
			goroutines: m["go_goroutines"], heap: m["go_memstats_heap_inuse_bytes"],
			resident: m["process_resident_memory_bytes"], descriptors: m["process_open_fds"],
		}
		if f.goroutines == 0 || f.heap == 0 {
			t.Fatalf("%s does not say how large it is", n.Name)
		}
		all = append(all, f)
	}
	return all
}
