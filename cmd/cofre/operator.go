package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cofre-kms/cofre/server/admin"
	"github.com/cofre-kms/cofre/server/operator"
)

func tokenCommand(std streams) *cobra.Command {
	create := &cobra.Command{Use: "create [--hours N]", Short: "Print a one-time join token"}
	hours := create.Flags().Int("hours", 24, "how long the token is valid")
	withClient(create, func(ctx context.Context, client *admin.Client, out output) error {
		token, err := client.CreateToken(ctx, *hours)
		if err != nil {
			return err
		}
		return out.print(std.out, token, func() [][]string { return [][]string{{token.Token}} })
	})
	return group("token", "Join tokens", create)
}

func memberCommand(std streams) *cobra.Command {
	list := withClient(&cobra.Command{Use: "list", Short: "List the members of the cluster"},
		func(ctx context.Context, client *admin.Client, out output) error {
			members, err := client.Members(ctx)
			if err != nil {
				return err
			}
			return out.print(std.out, members, func() [][]string { return memberRows(&members) })
		})
	remove := &cobra.Command{
		Use:   "remove --name NAME",
		Short: "Take a node out of the cluster for good; another may then join under its name",
	}
	name := required(remove, "name", "the member's name")
	withClient(remove, func(ctx context.Context, client *admin.Client, _ output) error {
		return client.RemoveMember(ctx, *name)
	})
	return group("member", "Members of the cluster", list, remove)
}

func memberRows(members *operator.Members) [][]string {
	rows := [][]string{{"MEMBER", "STATE", "JOINED", "ADDRESS", "TOKEN"}}
	for _, m := range members.Members {
		rows = append(rows, []string{m.Name, m.State, m.Joined.Format(time.RFC3339), orNone(m.Address), m.Serial})
	}
	return rows
}

func clusterCommand(std streams) *cobra.Command {
	describe := withClient(&cobra.Command{Use: "describe", Short: "Describe the cluster's configuration"},
		func(ctx context.Context, client *admin.Client, out output) error {
			var c operator.Cluster
			if err := client.Call(ctx, http.MethodGet, "/v1/cluster", nil, &c); err != nil {
				return err
			}
			return out.print(std.out, &c, func() [][]string {
				return [][]string{
					{"cluster", c.ClusterID}, {"created", c.Created.Format(time.RFC3339)}, {"operator account", c.OperatorAccountID},
					{"domain key", fmt.Sprint("generation ", c.Generation)}, {"regions", strings.Join(c.Regions, ", ")},
				}
			})
		})
	return group("cluster", "The cluster", describe)
}

func hsmCommand(std streams) *cobra.Command {
	status := withClient(&cobra.Command{Use: "status", Short: "Describe the HSM partition of the node that answers"},
		func(ctx context.Context, client *admin.Client, out output) error {
			var h operator.HSM
			if err := client.Call(ctx, http.MethodGet, "/v1/hsm", nil, &h); err != nil {
				return err
			}
			return out.print(std.out, &h, func() [][]string {
				state := "works"
				if !h.Working {
					state = h.Problem
				}
				return [][]string{
					{"node", h.Node}, {"partition", h.Kind + " " + h.Label}, {"maker", h.Maker}, {"serial", h.Serial},
					{"hardware", fmt.Sprint(h.Hardware)}, {"state", state}, {"key specs", strings.Join(h.KeySpecs, ", ")},
				}
			})
		})
	return group("hsm", "HSM partitions", status)
}

// group is a command that only holds others.
func group(name, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: name, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return fmt.Errorf("%s: which command? See cofre %s --help", cmd.CommandPath(), name)
	}}
	g.AddCommand(commands...)
	return g
}
