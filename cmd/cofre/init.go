package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/internal/config"
	"github.com/cofre-kms/cofre/server/admin"
	"github.com/cofre-kms/cofre/server/identity"
)

func initCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init --config FILE",
		Short: "Make a cluster of one node and print its administrator's credentials",
		Long: `Makes the domain key in the partition, the cluster's certificate authority and the
operator account in an empty data directory. The credentials of that account's
administrator are printed as JSON, this once.`,
	}
	name := cmd.Flags().String("account-name", "operator", "name of the operator account")
	return withConfig(cmd, os.LookupEnv, func(ctx context.Context, cfg *config.Config) error {
		return initialize(ctx, cfg, std, *name)
	})
}

func initialize(ctx context.Context, cfg *config.Config, std streams, accountName string) error {
	umask()
	var account *admin.Account
	err := withPartition(ctx, cfg, std, func(partition hsm.Partition, node cluster.Config) error {
		return cluster.Init(ctx, node, func(tx *fsm.Txn) (err error) {
			generation, err := latestGeneration(ctx, partition)
			if err != nil {
				return err
			}
			account, err = admin.Genesis(ctx, tx, admin.Founding{
				Identity: identity.New(identity.Config{HSM: partition}), Generation: generation, AccountName: accountName,
				Region: cfg.Regions[0], UID: os.Getuid(), UserAgent: userAgent(), Time: time.Now(),
			})
			return err
		})
	})
	if err != nil {
		return err
	}
	return printJSON(std.out, account)
}

// latestGeneration answers the domain key that new keys are wrapped under.
// cluster.Init has made one where the partition had none.
func latestGeneration(ctx context.Context, partition hsm.Domain) (latest hsm.Generation, err error) {
	held, err := partition.Generations(ctx)
	if err != nil {
		return 0, fmt.Errorf("listing domain keys: %w", err)
	}
	for g := range held {
		latest = max(latest, g)
	}
	return latest, nil
}
