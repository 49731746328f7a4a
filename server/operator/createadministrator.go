package operator

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/shape"
)

type createAdministratorRequest struct{ AccountID, UserName string }

func (s *Service) createAdministratorRoute() rest.Route {
	type r = createAdministratorRequest
	return rest.Bind[Credentials](rest.Spec{
		Name: "CreateAdministrator", ReadOnly: writes, Method: "POST", Path: "/v1/accounts/{accountId}/administrators",
		Summary: "Make a user of an account who may do everything in it, whose secret is answered this once: for an account that has lost its own",
	}, shape.Of(
		shape.Text("accountId", accountIDType(), func(q *r) *string { return &q.AccountID }).Required(),
		shape.Text("userName", userNameType(), func(q *r) *string { return &q.UserName }).Required(),
	), s.createAdministrator)
}

func (s *Service) createAdministrator(ctx context.Context, tx *fsm.Txn, c *call.Call, q *createAdministratorRequest) (any, error) {
	c.Record.Parameters = accountParameters{AccountID: q.AccountID, UserName: q.UserName}
	if err := s.permit(tx, c, "account/"+q.AccountID); err != nil {
		return nil, err
	}
	if _, err := account(tx, q.AccountID); err != nil {
		return nil, err
	}
	made, err := s.cfg.Identities.CreateAdministrator(ctx, tx, q.AccountID, q.UserName)
	if err != nil {
		return nil, err
	}
	c.Record.Response = elements(made)
	return NewCredentials(made), nil
}
