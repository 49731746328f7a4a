//go:build cofre_testclock

package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/server/admin"
)

// clock is ahead of the machine's by what the cluster has agreed on.
type clock struct {
	node *cluster.Node
	last atomic.Int64 // what it was ahead by, for when the node closes
}

func newClock(node *cluster.Node) *clock { return &clock{node: node} }

func (c *clock) now() time.Time {
	if ahead, err := admin.Ahead(c.node.View()); err == nil {
		c.last.Store(int64(ahead))
	}
	return time.Now().Add(time.Duration(c.last.Load()))
}

// testCommands are the commands that only tests have.
func testCommands(std streams) []*cobra.Command {
	cmd := &cobra.Command{Use: "test-clock --config FILE [--pass DURATION]", Short: "Set the services' clock ahead, or say how far it is"}
	pass := cmd.Flags().Duration("pass", 0, "how much time passes")
	return []*cobra.Command{withClient(cmd, func(ctx context.Context, client *admin.Client, _ output) error {
		clock, err := client.TestClock(ctx)
		if *pass != 0 {
			clock, err = client.PassTime(ctx, *pass)
		}
		if err != nil {
			return err
		}
		return printJSON(std.out, clock)
	})}
}
