package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/admin"
	"github.com/cofre-kms/cofre/server/operator"
)

func statusCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{Use: "status", Short: "Describe the node that answers, and the cluster as it sees it"}
	return withClient(cmd, func(ctx context.Context, client *admin.Client, out output) error {
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		return out.print(std.out, &status, func() [][]string { return statusRows(&status) })
	})
}

func statusRows(s *operator.Status) (rows [][]string) {
	row := func(name, format string, args ...any) {
		rows = append(rows, []string{name, fmt.Sprintf(format, args...)})
	}
	row("node", "%s", s.Name)
	row("version", "%s", s.Version)
	row("state", "%s, term %d", s.State, s.Term)
	row("leader", "%s", orNone(s.Leader))
	row("log", "last %d, committed %d, applied %d", s.Last, s.Commit, s.FSM.Applied)
	row("state hash", "%s", s.FSM.StateHash)
	row("ledger", "%d records, root %s", s.FSM.LedgerSize, s.FSM.LedgerRoot)
	row("checkpoint", "%d records of %s", s.Ledger.Checkpoint, s.Ledger.Origin)
	if s.Ledger.Problem != "" {
		row("not signing", "%s", s.Ledger.Problem)
	}
	row("partition", "%s %s (%s)", s.HSM.Kind, s.HSM.Label, s.HSM.Maker)
	if len(s.HSM.Assisted) > 0 {
		row("software-assisted", "%s", list(s.HSM.Assisted))
	}
	if s.HSMError != "" {
		row("partition error", "%s", s.HSMError)
	}
	row("feature level", "%d (this release knows %d to %d)", s.Level, s.Lowest, s.Highest)
	if s.Diverged {
		row("diverged", "yes: this node answers nothing more")
	}
	for _, m := range s.Members {
		role := "learns"
		if m.Voter {
			role = "votes"
		}
		row("member", "%s at %s, %s, feature level up to %d", m.Name, m.Address, role, m.Level)
	}
	return rows
}

func list(specs []hsm.KeySpec) string {
	names := make([]string, len(specs))
	for i, spec := range specs {
		names[i] = string(spec)
	}
	return strings.Join(names, ", ")
}

func orNone(name string) string {
	if name == "" {
		return "none known"
	}
	return name
}
