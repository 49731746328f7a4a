package kms

import (
	"context"
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
	KeyID               string `json:"KeyId"`
	DeletionDate        timestamp
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
	DeletionDate        string `json:"deletionDate"`
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
	k, err := s.key(tx, c, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	next := *k.Key
	next.State = state.PendingDeletion
	next.Deletion = c.Time.Add(time.Duration(days) * 24 * time.Hour).UnixMilli()
	if err := put(tx, &next); err != nil {
		return nil, err
	}
	if err := state.Deletions.Put(tx, &state.Deletion{}, due(&next)...); err != nil {
		return nil, err
	}
	c.Record.Response = &scheduleKeyDeletionElements{
		KeyID: k.arn, KeyState: next.State.String(), DeletionDate: timestamp(next.Deletion).calendar(), PendingWindowInDays: days,
	}
	return &scheduleKeyDeletionResponse{
		KeyID: k.arn, KeyState: next.State.String(), DeletionDate: timestamp(next.Deletion), PendingWindowInDays: days,
	}, nil
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
	next.State, next.Deletion = state.Disabled, 0
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
