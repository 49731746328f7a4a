package main

import (
	"context"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/spf13/cobra"

	"github.com/cofre-kms/cofre/internal/config"
)

func serverCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "server --config FILE [--check-config]",
		Short: "Run the node",
		Long: `Runs the node until it gets SIGTERM or SIGINT: it then stops accepting, lets
requests end, hands leadership over and closes. Another signal after that ends it at once.`,
	}
	check := cmd.Flags().Bool("check-config", false, "check the configuration and start nothing")
	profile := cmd.Flags().String("cpu-profile", "", "write a CPU profile to this file")
	return withConfig(cmd, os.LookupEnv, func(ctx context.Context, cfg *config.Config) error {
		if *check {
			_, err := fmt.Fprintln(std.out, "the configuration is valid")
			return err
		}
		umask()
		stop, err := startProfile(*profile)
		if err != nil {
			return err
		}
		defer stop()
		return serve(ctx, cfg, std)
	})
}

// startProfile profiles the process until stop is called. A profile of the CPU
// holds addresses of code and no memory; there is no other kind to ask for.
func startProfile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("writing the CPU profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, fmt.Errorf("writing the CPU profile: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // a profile that is cut short does not fail the node
	}, nil
}

// serve starts the node's parts, one on top of the other, waits, and stops them
// in the opposite order.
func serve(ctx context.Context, cfg *config.Config, std streams) error {
	d := newDaemon(cfg, newLogger(cfg, std))
	err := d.start(ctx)
	if err == nil {
		err = d.wait(ctx)
	}
	return d.stop(err)
}
