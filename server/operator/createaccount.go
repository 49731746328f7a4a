package operator

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/shape"
)

type createAccountRequest struct{ AccountName string }

func (s *Service) createAccountRoute() rest.Route {
	return rest.Bind[Credentials](rest.Spec{
		Name: "CreateAccount", ReadOnly: writes, Method: "POST", Path: "/v1/accounts",
		Summary: "Make an account with an administrator, whose secret is answered this once",
	}, shape.Of(
		shape.Text("accountName", accountNameType(), func(q *createAccountRequest) *string { return &q.AccountName }).Required(),
	), s.createAccount)
}

func (s *Service) createAccount(ctx context.Context, tx *fsm.Txn, c *call.Call, q *createAccountRequest) (any, error) {
	c.Record.Parameters = accountParameters{AccountName: q.AccountName}
	if err := s.permit(tx, c, "account/*"); err != nil {
		return nil, err
	}
	made, err := s.cfg.Identities.CreateAccount(ctx, tx, q.AccountName)
	if err != nil {
		return nil, err
	}
	c.Record.Response = elements(made)
	return NewCredentials(made), nil
}
