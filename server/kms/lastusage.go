package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// mark remembers the call as the last successful cryptographic operation with a
// key. It writes without reading, so that uses of one key do not conflict.
func mark(tx *fsm.Txn, c *call.Call, k key) error {
	usage := &state.KeyUsage{Operation: c.Operation, Time: c.Time.UnixMilli(), RequestID: c.RequestID, EventID: c.EventID}
	return state.KeyUsages.Put(tx, usage, k.AccountID, k.Region, k.ID)
}

type getKeyLastUsageResponse struct {
	KeyID             string       `json:"KeyId"`
	KeyLastUsage      keyLastUsage `json:"KeyLastUsage"`
	TrackingStartDate timestamp
	KeyCreationDate   timestamp
}

// keyLastUsage is empty where the key has not been used.
type keyLastUsage struct {
	Operation         string    `json:",omitempty"`
	Timestamp         timestamp `json:",omitempty"`
	CloudTrailEventID string    `json:"CloudTrailEventId,omitempty"`
	KmsRequestID      string    `json:"KmsRequestId,omitempty"`
}

// getKeyLastUsage commits its record, then reads: a guard on what every use writes
// would have it run again for as long as the key is busy. The answer includes all
// uses that were answered before the call. Uses have been remembered for as long
// as there are keys, so tracking starts with the key.
func (s *Service) getKeyLastUsage(_ context.Context, tx *fsm.Txn, c *call.Call, req *keyRequest) (call.Later, error) {
	c.Record.Parameters = &keyParameters{KeyID: req.KeyID}
	k, err := s.key(tx, c, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	return func(view fsm.View) (any, error) {
		resp := &getKeyLastUsageResponse{KeyID: k.arn, TrackingStartDate: timestamp(k.Created), KeyCreationDate: timestamp(k.Created)}
		usage, _, err := state.KeyUsages.Peek(view, k.AccountID, k.Region, k.ID)
		if err != nil || usage == nil {
			return resp, err
		}
		resp.KeyLastUsage = keyLastUsage{
			Operation: usage.Operation, Timestamp: timestamp(usage.Time),
			CloudTrailEventID: usage.EventID, KmsRequestID: usage.RequestID,
		}
		return resp, nil
	}, nil
}
