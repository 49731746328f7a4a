package operator

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
)

func (s *Service) describeAccountRoute() rest.Route {
	return rest.Bind[Account](rest.Spec{
		Name: "DescribeAccount", ReadOnly: reads, Method: "GET", Path: "/v1/accounts/{accountId}", Summary: "Describe an account",
	}, accountShape(), s.describeAccount)
}

func (s *Service) describeAccount(_ context.Context, tx *fsm.Txn, c *call.Call, q *accountRequest) (any, error) {
	c.Record.Parameters = accountParameters{AccountID: q.AccountID}
	if err := s.permit(tx, c, "account/"+q.AccountID); err != nil {
		return nil, err
	}
	a, err := account(tx, q.AccountID)
	if err != nil {
		return nil, err
	}
	return describeAccount(a), nil
}
