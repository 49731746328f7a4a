package kms

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/state"
)

// A transaction has one audit record. Where AWS writes another one beside that of
// the call, the transaction leaves it in the state, encoded, and the steward
// commits it soon after: once, because the entry goes with it. The call itself
// is on record before it is answered, as every call.

// announce leaves the record of a service event about a key.
func announce(tx *fsm.Txn, k *state.Key, name string, now time.Time, details any) error {
	event, err := serviceEvent(k, name, now, details)
	if err != nil {
		return err
	}
	return leave(tx, k, now, event)
}

// leave leaves a record for the steward.
func leave(tx *fsm.Txn, k *state.Key, now time.Time, event []byte) error {
	id, err := uuid.NewRandom()
	if err != nil {
		return fmt.Errorf("drawing an id: %w", err)
	}
	const overdue = 0 // whatever the leader's clock says
	return state.Announcements.Put(tx, &state.Announcement{Event: event},
		state.DueTime(overdue), k.AccountID, k.Region, k.ID, state.DueTime(now.UnixMilli()), id.String())
}

// publish commits a record that was left.
func publish(_ context.Context, tx *fsm.Txn, entry []string, _ time.Time) error {
	left, err := state.Announcements.Get(tx, entry...)
	if err != nil || left == nil {
		return err
	}
	state.Announcements.Delete(tx, entry...)
	tx.SetEvent(left.Event)
	return nil
}
