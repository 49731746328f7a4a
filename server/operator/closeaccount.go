package operator

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/state"
)

func (s *Service) closeAccountRoute() rest.Route {
	return rest.Bind[Account](rest.Spec{
		Name: "CloseAccount", ReadOnly: writes, Method: "POST", Path: "/v1/accounts/{accountId}/close",
		Summary: "Close an account: from now on its principals do not authenticate and its keys serve nobody, until it is reopened",
	}, accountShape(), s.closeAccount)
}

func (s *Service) closeAccount(_ context.Context, tx *fsm.Txn, c *call.Call, q *accountRequest) (any, error) {
	return s.setClosed(tx, c, q, c.Time.UnixMilli())
}

func (s *Service) reopenAccountRoute() rest.Route {
	return rest.Bind[Account](rest.Spec{
		Name: "ReopenAccount", ReadOnly: writes, Method: "POST", Path: "/v1/accounts/{accountId}/reopen",
		Summary: "Reopen a closed account, with all that it had",
	}, accountShape(), s.reopenAccount)
}

func (s *Service) reopenAccount(_ context.Context, tx *fsm.Txn, c *call.Call, q *accountRequest) (any, error) {
	return s.setClosed(tx, c, q, 0)
}

// setClosed closes an account at a time, or reopens it at 0. Everything that its
// principals or its keys take part in reads the account's record, so it acts at
// this instant.
func (s *Service) setClosed(tx *fsm.Txn, c *call.Call, q *accountRequest, when int64) (any, error) {
	c.Record.Parameters = accountParameters{AccountID: q.AccountID}
	if err := s.permit(tx, c, "account/"+q.AccountID); err != nil {
		return nil, err
	}
	a, err := account(tx, q.AccountID)
	if err != nil {
		return nil, err
	}
	switch {
	case a.Operator:
		return nil, conflict("The operator account cannot be closed.")
	case (a.Closed != 0) == (when != 0):
		return nil, conflict("The account is %s already.", describeAccount(a).State)
	}
	next := *a
	next.Closed = when
	return describeAccount(&next), state.Accounts.Put(tx, &next, next.ID)
}
