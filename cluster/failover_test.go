package cluster

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/fsm"
)

// BenchmarkFailover cuts the leader off and measures how long it takes until a
// transaction on another node is acknowledged.
func BenchmarkFailover(b *testing.B) {
	f := newCluster(b, 3, func(c *Config) { c.Logger = nil })
	f.unchecked = true
	var times []time.Duration
	for b.Loop() {
		leader := f.leader()
		other := f.follower()
		f.await("all to be well", func() error {
			for _, n := range f.running() {
				if err := n.node.Ready(); err != nil {
					return err
				}
			}
			return nil
		})
		start := time.Now()
		leader.node.isolate()
		for {
			ctx, cancel := context.WithTimeout(f.ctx(), time.Minute)
			_, err := other.node.Transact(ctx, "b", func(*fsm.Txn) error { return nil })
			cancel()
			if err == nil {
				break
			}
			if !errors.Is(err, ErrUnknown) {
				b.Fatal(err)
			}
		}
		times = append(times, time.Since(start))
		leader.kill()
		leader.open()
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Milliseconds()), "median-ms")
	b.ReportMetric(float64(times[len(times)-1].Milliseconds()), "worst-ms")
}
