package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/cluster/durable"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/internal/config"
	"github.com/cofre-kms/cofre/server/admin"
)

func backupCommand() *cobra.Command {
	create := &cobra.Command{
		Use:   "create --config FILE --out FILE",
		Short: "Write the cluster's state and ledger into one file, with a checksum",
		Long: `Writes a backup into a new file: everything that was acknowledged before, and no
key but wrapped under the domain key, which is in the partitions and not in the
backup.`,
	}
	out := required(create, "out", "the new file")
	withClient(create, func(ctx context.Context, client *admin.Client, _ output) error {
		umask()
		return writeNew(*out, func(w io.Writer) error { return client.Backup(ctx, w) })
	})
	return group("backup", "Backups of the cluster", create)
}

// writeNew writes a file that must not exist. It is empty until it is whole and
// durable.
func writeNew(path string, write func(w io.Writer) error) (err error) {
	place, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // nobody else gets the name
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(path))
		}
	}()
	if err := place.Close(); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // fails once the file has its name
	if err := errors.Join(write(file), file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

func restoreCommand(std streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore --config FILE --from FILE",
		Short: "Make a cluster of one node from a backup",
		Long: `Makes a new cluster of one node in an empty data directory, with the state and the
ledger of a backup. The node's partition has to hold the domain key. Of the old
members none is one of the new cluster: others join it as always. Stop the old
cluster for good first: it would go on by itself.`,
	}
	from := required(cmd, "from", "the backup")
	return withConfig(cmd, os.LookupEnv, func(ctx context.Context, cfg *config.Config) error {
		return restore(ctx, cfg, std, *from)
	})
}

// restored is what `cofre restore` prints.
type restored struct {
	LedgerSize int64  `json:"ledgerSize"` // of the backup
	LedgerRoot string `json:"ledgerRoot"`
}

func restore(ctx context.Context, cfg *config.Config, std streams, from string) error {
	umask()
	file, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("opening the backup: %w", err)
	}
	defer file.Close()
	event := admin.RestoreEvent(os.Getuid(), userAgent(), cfg.Regions[0], time.Now())
	return withPartition(ctx, cfg, std, func(_ hsm.Partition, node cluster.Config) error {
		status, err := cluster.Restore(ctx, node, file, event)
		if err != nil {
			return err
		}
		return printJSON(std.out, restored{status.LedgerSize, status.LedgerRoot.String()})
	})
}
