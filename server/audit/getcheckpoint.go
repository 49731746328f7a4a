package audit

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
)

func (s *Service) getCheckpointRoute() rest.Route {
	return rest.Bind[any](rest.Spec{
		Name: "GetLedgerCheckpoint", ReadOnly: reads, Method: "GET", Path: "/v1/ledger/log/checkpoint",
		Summary: "The newest signed checkpoint (C2SP tlog-checkpoint)", Media: []string{mediaText},
	}, nothingShape(), s.getCheckpoint)
}

func (s *Service) getCheckpoint(_ context.Context, tx *fsm.Txn, c *call.Call, _ *nothing) (any, error) {
	if err := s.permit(tx, c); err != nil {
		return nil, err
	}
	note, err := s.published()
	if err != nil {
		return nil, err
	}
	return &rest.Raw{ContentType: mediaText, Body: note}, nil
}
