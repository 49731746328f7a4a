package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/internal/config"
)

func joinCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "join --config FILE [--token-file FILE]",
		Short: "Make this node a member of the cluster that issued a join token",
		Long: `Reads the token that "cofre token create" printed on a member: from --token-file,
from the environment (COFRE_JOIN_TOKEN), or from standard input. The node gets its
certificate and, into its partition, the domain keys. "cofre server" then starts it.`,
	}
	file := cmd.Flags().String("token-file", "", "file that holds the join token")
	return withConfig(cmd, os.LookupEnv, func(ctx context.Context, cfg *config.Config) error {
		token, err := readToken(*file, os.LookupEnv, std.in)
		if err != nil {
			return err
		}
		umask()
		return withPartition(ctx, cfg, std, func(_ hsm.Partition, node cluster.Config) error {
			return cluster.Join(ctx, node, token)
		})
	})
}

// maxToken bounds what is read as a token, in bytes.
const maxToken = 64 << 10

func readToken(file string, lookup func(string) (string, bool), in io.Reader) (string, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("reading the join token: %w", err)
		}
		return trimToken(string(b))
	}
	if token, ok := lookup("COFRE_JOIN_TOKEN"); ok {
		return trimToken(token)
	}
	b, err := io.ReadAll(io.LimitReader(in, maxToken))
	if err != nil {
		return "", fmt.Errorf("reading the join token: %w", err)
	}
	return trimToken(string(b))
}

func trimToken(text string) (string, error) {
	token := strings.TrimSpace(text)
	if token == "" {
		return "", errors.New("no join token: give it by --token-file, COFRE_JOIN_TOKEN or standard input")
	}
	return token, nil
}
