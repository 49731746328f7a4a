package record

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// Owe leaves a record for the steward. A transaction has one audit record; where
// AWS writes another one beside that of the call, the transaction leaves it in
// the state, encoded, and the steward commits it soon after: once, because the
// entry goes with it. The call itself is on record before it is answered, as
// every call (docs/adr/0010-records-that-are-owed.md). about orders the entries
// of an account and Region, by time where it is the same.
func Owe(tx *fsm.Txn, event []byte, account, region, about string, at time.Time) error {
	id, err := newID()
	if err != nil {
		return err
	}
	const overdue = 0 // whatever the leader's clock says
	return state.Announcements.Put(tx, &state.Announcement{Event: event},
		state.DueTime(overdue), account, region, about, state.DueTime(at.UnixMilli()), id)
}

// share owes the record of a call to another account, too, that of what the call
// used: the same call under an event id of its own, by somebody of whom the other
// account learns the unique id and no more ("CloudTrail userIdentity element",
// AWSAccount). Both have the shared event id.
func share(tx *fsm.Txn, c *call.Call, e event) (event, error) {
	account := c.Record.SharedWith
	var err error
	if e.shared, err = newID(); err != nil {
		return e, err
	}
	other := e
	if other.eventID, err = newID(); err != nil {
		return e, err
	}
	other.recipient = account
	other.identity = ledger.UserIdentity{Type: "AWSAccount", PrincipalID: e.identity.PrincipalID, AccountID: e.identity.AccountID, InvokedBy: e.identity.InvokedBy}
	text, err := other.encode()
	if err != nil {
		return e, err
	}
	return e, Owe(tx, text, account, c.Region, c.RequestID, c.Time)
}

func newID() (string, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return "", fmt.Errorf("drawing an id: %w", err)
	}
	return id.String(), nil
}
