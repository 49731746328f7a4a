//go:build !cofre_testclock

package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/cofre-kms/cofre/cluster"
)

// clock is what the services and the steward tell the time by, and what dates
// records. In a release it is the machine's; the cluster's own timers and
// signatures go by that in any build.
type clock struct{}

func newClock(*cluster.Node) *clock { return new(clock) }

func (*clock) now() time.Time { return time.Now() }

// testCommands are the commands that only tests have.
func testCommands(streams) []*cobra.Command { return nil }
