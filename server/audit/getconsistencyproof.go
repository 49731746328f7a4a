package audit

import (
	"context"
	"encoding/base64"
	"net/http"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/shape"
)

type consistencyRequest struct{ From, To int }

// consistencyParameters are the requestParameters of the record.
type consistencyParameters struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// Consistency shows that a smaller tree is a prefix of a larger one (RFC 6962
// §2.1.2).
type Consistency struct {
	From  int64    `json:"from"`  // records
	To    int64    `json:"to"`    // records
	Proof []string `json:"proof"` // hashes in base64
}

func (s *Service) getConsistencyProofRoute() rest.Route {
	size := shape.Integer{Min: 1, Max: 1 << 62}
	return rest.Bind[Consistency](rest.Spec{
		Name: "GetLedgerConsistencyProof", ReadOnly: reads, Method: "GET", Path: "/v1/ledger/consistency",
		Summary: "The proof that the ledger of one size is a prefix of that of another (RFC 6962)",
	}, shape.Of(
		shape.Number("from", size, func(q *consistencyRequest) *int { return &q.From }).Required(),
		shape.Number("to", size, func(q *consistencyRequest) *int { return &q.To }).Required(),
	), s.getConsistencyProof)
}

func (s *Service) getConsistencyProof(_ context.Context, tx *fsm.Txn, c *call.Call, q *consistencyRequest) (any, error) {
	from, to := int64(q.From), int64(q.To)
	c.Record.Parameters = consistencyParameters{from, to}
	if err := s.permit(tx, c); err != nil {
		return nil, err
	}
	size, err := s.covered()
	if err != nil {
		return nil, err
	}
	if from > to || to > size {
		return nil, refuse(http.StatusNotFound, "NotFound", "From %d to %d records: the published checkpoint has %d.", from, to, size)
	}
	proof, err := tlog.ProveTree(to, from, s.cfg.Node.Hashes())
	if err != nil {
		return nil, err
	}
	answer := &Consistency{From: from, To: to, Proof: make([]string, 0, len(proof))}
	for _, h := range proof {
		answer.Proof = append(answer.Proof, base64.StdEncoding.EncodeToString(h[:]))
	}
	return answer, nil
}
