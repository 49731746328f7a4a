package ledger

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrForged is returned by an Audit for records that are not those of the
// checkpoint.
var ErrForged = errors.New("ledger: the records are not those of the checkpoint")

// Audit compares the records of a ledger, all from the first on, with a
// checkpoint, and keeps none of them. It belongs to one goroutine.
type Audit struct {
	checkpoint Checkpoint
	tree       Tree
}

// NewAudit begins an audit of a checkpoint, which the caller has verified.
func NewAudit(c Checkpoint) *Audit { return &Audit{checkpoint: c} }

// Add takes the next record, exactly the bytes that the ledger keeps. Records
// behind the checkpoint are counted and not looked at.
func (a *Audit) Add(record []byte) {
	if a.tree.Size() == a.checkpoint.Size {
		return
	}
	a.tree.Append(tlog.RecordHash(record))
	if a.tree.Size()%TileWidth == 0 {
		a.tree.forget()
	}
}

// Finish says whether the records were the checkpoint's. It answers ErrForged.
func (a *Audit) Finish() error {
	switch {
	case a.tree.Size() < a.checkpoint.Size:
		return fmt.Errorf("%w: there are %d of %d", ErrForged, a.tree.Size(), a.checkpoint.Size)
	case a.tree.Root() != a.checkpoint.Root:
		return fmt.Errorf("%w: their root is %v, not %v", ErrForged, a.tree.Root(), a.checkpoint.Root)
	}
	return nil
}
