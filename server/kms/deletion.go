package kms

import (
	"context"
	"strconv"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type scheduleKeyDeletionRequest struct {
	KeyID               string
	PendingWindowInDays int
}

func scheduleKeyDeletionShape() *shape.Struct[scheduleKeyDeletionRequest] {
	type r = scheduleKeyDeletionRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Number("PendingWindowInDays", pendingWindowInDaysType(), func(q *r) *int { return &q.PendingWindowInDays }),
	)
}

type scheduleKeyDeletionResponse struct {
	KeyID               string    `json:"KeyId"`
	DeletionDate        timestamp `json:",omitempty"` // absent while the key has replicas
	KeyState            string
	PendingWindowInDays int
}

type scheduleKeyDeletionParameters struct {
	PendingWindowInDays int    `json:"pendingWindowInDays,omitempty"`
	KeyID               string `json:"keyId"`
}

type scheduleKeyDeletionElements struct {
	KeyID               string `json:"keyId"`
	KeyState            string `json:"keyState"`
	DeletionDate        string `json:"deletionDate,omitempty"`
	PendingWindowInDays int    `json:"pendingWindowInDays"`
}

const minWindow, maxWindow = 7, 30 // days; the model's 1 to 365 is wider than what AWS accepts

func (s *Service) scheduleKeyDeletion(_ context.Context, tx *fsm.Txn, c *call.Call, req *scheduleKeyDeletionRequest) (*scheduleKeyDeletionResponse, error) {
	c.Record.Parameters = &scheduleKeyDeletionParameters{PendingWindowInDays: req.PendingWindowInDays, KeyID: req.KeyID}
	days := req.PendingWindowInDays
	if days == 0 {
		days = maxWindow
	}
	if days < minWindow || days > maxWindow {
		return nil, invalid("PendingWindowInDays must be between %d and %d", minWindow, maxWindow)
	}
	wanted := with(c, "kms:schedulekeydeletionpendingwindowindays", strconv.Itoa(days))
	k, err := s.keyFor(tx, c, wanted, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	next := *k.Key
	if err := scheduleDeletion(tx, &next, c.Time, days); err != nil {
		return nil, err
	}
	elements := &scheduleKeyDeletionElements{KeyID: k.arn, KeyState: next.State.String(), PendingWindowInDays: days}
	if next.Deletion != 0 {
		elements.DeletionDate = timestamp(next.Deletion).calendar()
	}
	c.Record.Response = elements
	return &scheduleKeyDeletionResponse{
		KeyID: k.arn, KeyState: next.State.String(), DeletionDate: timestamp(next.Deletion), PendingWindowInDays: days,
	}, nil
}

// scheduleDeletion begins the window of a key, the caller's copy. That of a
// primary key begins when the last of its replicas has been deleted.
func scheduleDeletion(tx *fsm.Txn, next *state.Key, now time.Time, days int) error {
	if !next.Replica() && len(next.Replicas) > 0 {
		next.State, next.PendingWindow = state.PendingReplicaDeletion, days
		return put(tx, next)
	}
	next.State, next.PendingWindow, next.Deletion = state.PendingDeletion, 0, after(now, days)
	if err := put(tx, next); err != nil {
		return err
	}
	return state.Deletions.Put(tx, &state.Deletion{}, due(next)...)
}

type cancelKeyDeletionResponse struct {
	KeyID string `json:"KeyId"`
}

// cancelKeyDeletion leaves the key disabled, whatever it was before, or pending
// import where it lacks material.
func (s *Service) cancelKeyDeletion(_ context.Context, tx *fsm.Txn, c *call.Call, req *keyRequest) (*cancelKeyDeletionResponse, error) {
	c.Record.Parameters = &keyParameters{KeyID: req.KeyID}
	k, err := s.key(tx, c, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	state.Deletions.Delete(tx, due(k.Key)...)
	next := *k.Key
	next.State, next.Deletion, next.PendingWindow = state.Disabled, 0, 0
	if next.Origin == state.OriginExternal && !next.Imported {
		next.State = state.PendingImport
	}
	if err := put(tx, &next); err != nil {
		return nil, err
	}
	changed(c, k)
	return &cancelKeyDeletionResponse{KeyID: k.arn}, nil
}

// due is the identifier of a key's entry in the steward's agenda.
func due(k *state.Key) []string {
	return []string{state.DueTime(k.Deletion), k.AccountID, k.Region, k.ID}
}
