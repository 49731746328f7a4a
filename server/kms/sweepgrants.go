package kms

import (
	"context"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/state"
)

// maxSweep is how many grants the steward removes in one transaction, which has
// room for grants of every operation.
const maxSweep = 64

// sweepLater puts a key that is being deleted on the agenda of sweepGrants, if it
// has grants. Nobody gives it more: CreateGrant refuses a key whose deletion is
// pending, by a guarded read. They allow nothing any more, since whoever uses a
// key reads it.
func sweepLater(tx *fsm.Txn, k *state.Key, now time.Time) error {
	left, err := total(tx.View(), state.GrantCounts, k.AccountID, k.Region, k.ID)
	if err != nil || left == 0 {
		return err
	}
	return state.GrantSweeps.Put(tx, &state.GrantSweep{}, state.DueTime(now.UnixMilli()), k.AccountID, k.Region, k.ID)
}

// sweepGrants removes some of the grants that a deleted key has left, and the
// entry of the agenda when there are no more.
func sweepGrants(_ context.Context, tx *fsm.Txn, entry []string, _ time.Time) error {
	var found []*state.Grant
	err := state.Grants.Scan(tx.View(), entry[1:], nil, func(_ []string, g *state.Grant) (bool, error) {
		found = append(found, g)
		return len(found) < maxSweep, nil
	})
	if err != nil {
		return err
	}
	for _, g := range found {
		if err := removeGrant(tx, g); err != nil {
			return err
		}
	}
	if len(found) < maxSweep {
		state.GrantSweeps.Delete(tx, entry...)
	}
	return nil
}

// checkSwept refuses to make a key whose id an earlier one had that has left
// grants: a replica of a multi-Region key may come back a moment after it was
// deleted.
func checkSwept(view fsm.View, k *state.Key) error {
	left, err := total(view, state.GrantCounts, k.AccountID, k.Region, k.ID)
	if err != nil || left == 0 {
		return err
	}
	return invalidState("%s was deleted and its grants are being removed.", k.ARN())
}
