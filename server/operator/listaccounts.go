package operator

import (
	"context"
	"encoding/base64"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type listAccountsRequest struct {
	MaxResults int
	NextToken  string
}

// Accounts is a page of the accounts, by id.
type Accounts struct {
	Accounts  []*Account `json:"accounts"`
	NextToken string     `json:"nextToken,omitempty"` // where there are more
}

// usualResults is how many entries a page has unless the caller says otherwise.
const usualResults = 100

func (s *Service) listAccountsRoute() rest.Route {
	type r = listAccountsRequest
	return rest.Bind[Accounts](rest.Spec{
		Name: "ListAccounts", ReadOnly: reads, Method: "GET", Path: "/v1/accounts", Summary: "List the accounts, page by page",
	}, shape.Of(
		shape.Number("maxResults", shape.Integer{Min: 1, Max: 1000}, func(q *r) *int { return &q.MaxResults }),
		shape.Text("nextToken", shape.String{Min: 1, Max: 100}, func(q *r) *string { return &q.NextToken }),
	), s.listAccounts)
}

func (s *Service) listAccounts(_ context.Context, tx *fsm.Txn, c *call.Call, q *listAccountsRequest) (any, error) {
	if err := s.permit(tx, c, "account/*"); err != nil {
		return nil, err
	}
	var after []string
	if q.NextToken != "" {
		last, err := base64.RawURLEncoding.DecodeString(q.NextToken)
		if err != nil || len(last) != 12 || !isDigits(string(last)) {
			return nil, call.Errorf("ValidationError", "nextToken is none that ListAccounts has answered.")
		}
		after = []string{string(last)}
	}
	limit := q.MaxResults
	if limit == 0 {
		limit = usualResults
	}
	return call.Later(func(view fsm.View) (any, error) { return accountsAfter(view, after, limit) }), nil
}

func accountsAfter(view fsm.View, after []string, limit int) (any, error) {
	page := &Accounts{Accounts: []*Account{}}
	err := state.Accounts.Scan(view, nil, after, func(_ []string, a *state.Account) (bool, error) {
		if len(page.Accounts) == limit {
			page.NextToken = base64.RawURLEncoding.EncodeToString([]byte(page.Accounts[limit-1].AccountID))
			return false, nil
		}
		page.Accounts = append(page.Accounts, describeAccount(a))
		return true, nil
	})
	return page, err
}
