package cluster

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/cofre-kms/cofre/fsm"
)

// backupTimeout bounds the wait for a quorum; the stream takes as long as it takes.
const backupTimeout = 30 * time.Second

// announceBackup commits the record, and returns when this node's state has it,
// and with it all that was acknowledged before.
func (n *Node) announceBackup(ctx context.Context, event []byte) error {
	ctx, cancel := context.WithTimeout(ctx, backupTimeout)
	defer cancel()
	index, err := n.Transact(ctx, "", func(tx *fsm.Txn) error { tx.SetEvent(event); return nil })
	if err != nil {
		return err
	}
	return n.Wait(ctx, index)
}

// Backup streams a copy of the state and the ledger, as fsm.WriteCheckpoint writes
// it: with a checksum, and with no key but in wrapped form. Everything that was
// acknowledged before the call is in it. The event is the ledger record of the
// act, which is in it too. It may run beside everything else, and costs the node
// disk space only for what is replaced while it runs.
func (n *Node) Backup(ctx context.Context, event []byte, w io.Writer) error {
	if err := n.announceBackup(ctx, event); err != nil {
		return fmt.Errorf("making a backup: %w", err)
	}
	dir := n.snapshots.Scratch()
	defer n.snapshots.Discard(dir)
	if _, err := n.store.Checkpoint(dir); err != nil {
		return fmt.Errorf("making a backup: %w", err)
	}
	if err := fsm.WriteCheckpoint(n.cfg.Disk.FS(), dir, w); err != nil {
		return fmt.Errorf("making a backup: %w", err)
	}
	return nil
}
