package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/shape"
)

type proofRequest struct{ RequestID string }

// proofParameters are the requestParameters of the record.
type proofParameters struct {
	RequestID string `json:"requestId"`
}

func (s *Service) getProofRoute() rest.Route {
	return rest.Bind[any](rest.Spec{
		Name: "GetLedgerProof", ReadOnly: reads, Method: "GET", Path: "/v1/ledger/proof",
		Summary: "The proof that the record of a request is in the ledger (C2SP tlog-proof), with the record as its extra data", Media: []string{mediaText},
	}, shape.Of(
		shape.Text("requestId", shape.String{Min: 36, Max: 36}, func(q *proofRequest) *string { return &q.RequestID }).Required(),
	), s.getProof)
}

// getProof waits for a checkpoint that covers the record: one comes every second.
func (s *Service) getProof(ctx context.Context, tx *fsm.Txn, c *call.Call, q *proofRequest) (any, error) {
	c.Record.Parameters = proofParameters{q.RequestID}
	position, found, err := s.find(q.RequestID)
	if err == nil && !found { // another node may have acknowledged it
		if err = s.cfg.Node.Sync(ctx); err == nil {
			position, found, err = s.find(q.RequestID)
		}
	}
	if err != nil {
		return nil, err
	}
	var record []byte
	var account string
	if found {
		if record, err = s.cfg.Ledger.Event(position); err != nil {
			return nil, err
		}
		if account, err = recipientOf(record); err != nil {
			return nil, err
		}
	}
	// Who may not read it learns nothing of whether it is there.
	if err := s.permitRecords(tx, c, account); err != nil {
		return nil, err
	}
	if !found {
		return nil, refuse(http.StatusNotFound, "NotFound", "The ledger has no record of request %s.", q.RequestID)
	}
	note, err := s.awaitCovered(ctx, position)
	if err != nil {
		return nil, err
	}
	proof, err := ledger.Prove(position, note, s.cfg.Node.Hashes())
	if err != nil {
		return nil, err
	}
	proof.Extra = record
	return &rest.Raw{ContentType: mediaText, Body: proof.Marshal()}, nil
}

// recipientOf is the account whose record it is.
func recipientOf(record []byte) (string, error) {
	var event struct {
		RecipientAccountID string `json:"recipientAccountId"`
	}
	if err := json.Unmarshal(record, &event); err != nil {
		return "", fmt.Errorf("reading a record: %w", err)
	}
	return event.RecipientAccountID, nil
}

// awaitCovered answers a published checkpoint that covers a position.
func (s *Service) awaitCovered(ctx context.Context, position int64) ([]byte, error) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if size, err := s.covered(); err == nil && size > position {
			return s.published()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, refuse(http.StatusServiceUnavailable, "ServiceUnavailable",
				"The record is number %d, and no checkpoint that covers it is published yet.", position)
		}
	}
}
