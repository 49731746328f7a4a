package cluster

import (
	"context"
	"fmt"
	"io"

	"github.com/cofre-kms/cofre/fsm"
)

// Backup streams a copy of the state and the ledger, as fsm.WriteCheckpoint writes
// it: with a checksum, and with no key but in wrapped form. Everything that was
// acknowledged before the call is in it. The event is the ledger record of the
// act, which is in it too. It may run beside everything else, and costs the node
// disk space only for what is replaced while it runs.
func (n *Node) Backup(ctx context.Context, event []byte, w io.Writer) error {
	index, err := n.Transact(ctx, "", func(tx *fsm.Txn) error { tx.SetEvent(event); return nil })
	if err == nil {
		err = n.Wait(ctx, index) // what was acknowledged stands before it
	}
	if err != nil {
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
