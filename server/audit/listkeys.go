package audit

import (
	"context"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
)

func (s *Service) listKeysRoute() rest.Route {
	return rest.Bind[any](rest.Spec{
		Name: "ListLedgerKeys", ReadOnly: reads, Method: "GET", Path: "/v1/ledger/keys",
		Summary: "The verifier keys of the nodes (C2SP signed-note), one a line", Media: []string{mediaText},
	}, nothingShape(), s.listKeys)
}

func (s *Service) listKeys(_ context.Context, tx *fsm.Txn, c *call.Call, _ *nothing) (any, error) {
	if err := s.permit(tx, c); err != nil {
		return nil, err
	}
	keys, err := s.cfg.Node.VerifierKeys()
	if err != nil {
		return nil, err
	}
	return &rest.Raw{ContentType: mediaText, Body: []byte(strings.Join(append(keys, ""), "\n"))}, nil
}
