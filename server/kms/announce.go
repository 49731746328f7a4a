package kms

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/state"
)

// serviceEvent is the record of what the steward did to a key.
func serviceEvent(k *state.Key, name string, now time.Time, details any) ([]byte, error) {
	return encodeEvent(k, record.ServiceEvent{Name: name, Time: now, Details: details})
}

// encodeEvent completes a service event with the key that it is about.
func encodeEvent(k *state.Key, e record.ServiceEvent) ([]byte, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("drawing an event id: %w", err)
	}
	e.Service, e.EventID, e.Region, e.AccountID = "kms", id.String(), k.Region, k.AccountID
	e.Resources = []ledger.Resource{{AccountID: k.AccountID, Type: keyResource, ARN: k.ARN()}}
	return record.Service(e)
}

// announce leaves the record of a service event for the steward (record.Owe).
func announce(tx *fsm.Txn, k *state.Key, e record.ServiceEvent) error {
	event, err := encodeEvent(k, e)
	if err != nil {
		return err
	}
	return record.Owe(tx, event, k.AccountID, k.Region, k.ID, e.Time)
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
