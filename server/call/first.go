package call

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
)

// First is returned by an operation that needs something to be there that it has
// found missing and may have made. The front end commits Run, a transaction with
// a record of its own, and runs the operation again.
type First struct {
	Run func(ctx context.Context, tx *fsm.Txn) error
}

func (f *First) Error() string { return "call: something has to be made first" }
