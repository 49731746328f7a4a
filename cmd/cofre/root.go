package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cofre-kms/cofre/internal/config"
)

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// failedError is returned when a command was understood and failed. All other
// errors are about the command line or the configuration.
type failedError struct{ error }

func (e failedError) Unwrap() error { return e.error }

// run runs one command line and answers the exit code.
func run(ctx context.Context, args []string, std streams) int {
	root := newRoot(std)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(std.err, "cofre:", err)
	}
	return exitCode(err)
}

func newRoot(std streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "cofre",
		Short: "A self-hosted key management service that speaks the AWS KMS API",
		// The error is printed once, by run.
		SilenceErrors: true, SilenceUsage: true,
	}
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	root.AddCommand(
		serverCommand(std), initCommand(std), joinCommand(std), tokenCommand(std), memberCommand(std), accountCommand(std),
		clusterCommand(std), hsmCommand(std), statusCommand(std), ledgerCommand(std), backupCommand(), restoreCommand(std), versionCommand(std),
	)
	root.AddCommand(testCommands(std)...)
	root.AddCommand(servicePrincipalCommand(std))
	return root
}

// withConfig adds the flag --config to a command and hands it the configuration.
func withConfig(cmd *cobra.Command, lookup func(string) (string, bool), do func(ctx context.Context, cfg *config.Config) error) *cobra.Command {
	path := cmd.Flags().String("config", "", "configuration file (docs/configuration.md)")
	if err := cmd.MarkFlagRequired("config"); err != nil {
		panic(err) // the flag is there: it was made above
	}
	if cmd.Args == nil {
		cmd.Args = cobra.NoArgs
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := config.Load(*path, lookup)
		if err != nil {
			return err
		}
		if err := do(cmd.Context(), cfg); err != nil {
			return failedError{err}
		}
		return nil
	}
	return cmd
}
