package rig

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// TestClock is the build tag (Build's more) of nodes whose clock Pass moves.
const TestClock = "-tags=cofre_testclock"

// Pass lets time pass for the services of all nodes, and returns when every
// running node knows. Signatures, certificates and Raft keep the machine's time.
// The binary is built with [TestClock].
func (c *Cluster) Pass(t testing.TB, d time.Duration) {
	t.Helper()
	var running []*Node
	for _, n := range c.Nodes {
		if n.Running() {
			running = append(running, n)
		}
	}
	ahead, err := running[0].clock("--pass", d.String())
	if err != nil {
		t.Fatalf("letting %v pass: %v", d, err)
	}
	Await(t, startLimit, "all nodes to know the time", func() error {
		for _, n := range running {
			at, err := n.clock()
			if err != nil {
				return err
			}
			if at < ahead {
				return fmt.Errorf("%s is ahead by %v, not %v", n.Name, at, ahead)
			}
		}
		return nil
	})
}

// clock runs `cofre test-clock` and answers how far the clock is ahead.
func (n *Node) clock(args ...string) (time.Duration, error) {
	out, err := n.Run("", append([]string{"test-clock"}, args...)...)
	if err != nil {
		return 0, err
	}
	var clock struct{ Ahead time.Duration }
	if err := json.Unmarshal(out, &clock); err != nil {
		return 0, fmt.Errorf("reading %s's clock: %w", n.Name, err)
	}
	return clock.Ahead, nil
}
