package operator

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/state"
)

func (s *Service) deleteAccountRoute() rest.Route {
	return rest.Bind[struct{}](rest.Spec{
		Name: "DeleteAccount", ReadOnly: writes, Method: "DELETE", Path: "/v1/accounts/{accountId}",
		Summary: "Delete a closed account that has no keys any more, with its identities, for good",
	}, accountShape(), s.deleteAccount)
}

// deleteAccount deletes an account that was closed before: nothing of it can
// change any more but by being reopened, which changes the record that is read
// here. Its ledger records stay.
func (s *Service) deleteAccount(_ context.Context, tx *fsm.Txn, c *call.Call, q *accountRequest) (any, error) {
	c.Record.Parameters = accountParameters{AccountID: q.AccountID}
	if err := s.permit(tx, c, "account/"+q.AccountID); err != nil {
		return nil, err
	}
	a, err := account(tx, q.AccountID)
	if err != nil {
		return nil, err
	}
	if a.Closed == 0 {
		return nil, conflict("Only a closed account can be deleted.")
	}
	if keys, err := hasKeys(tx.View(), a.ID); err != nil || keys {
		return nil, either(err, conflict("The account has keys. Reopen it and schedule their deletion: an account is not a way to lose them."))
	}
	state.Accounts.Delete(tx, a.ID)
	return nil, deleteIdentities(tx, a.ID)
}

// hasKeys says whether an account has keys in any Region, those that are to be
// deleted included.
func hasKeys(view fsm.View, accountID string) (has bool, err error) {
	err = state.Keys.Scan(view, []string{accountID}, nil, func([]string, *state.Key) (bool, error) {
		has = true
		return false, nil
	})
	return has, err
}

// maxIdentityRecords bounds what is deleted with an account, so that it is one
// transaction.
const maxIdentityRecords = 20_000

// deleteIdentities deletes all that IAM knows of an account.
func deleteIdentities(tx *fsm.Txn, accountID string) error {
	d := &deletion{tx: tx, account: accountID}
	under(d, state.UserAccessKeys, func(id []string, _ *state.UserAccessKey) { state.AccessKeys.Delete(tx, id[2]) })
	under(d, state.Users, func(_ []string, u *state.User) { state.Identities.Delete(tx, u.ID) })
	under(d, state.Groups, func(_ []string, g *state.Group) { state.Identities.Delete(tx, g.ID) })
	under(d, state.Roles, func(_ []string, r *state.Role) { state.Identities.Delete(tx, r.ID) })
	under(d, state.Policies, nil)
	under(d, state.PolicyVersions, nil)
	under(d, state.InlinePolicies, nil)
	under(d, state.Attachments, nil)
	under(d, state.AttachedTo, nil)
	under(d, state.UserGroups, nil)
	under(d, state.GroupUsers, nil)
	under(d, state.OIDCProviders, nil)
	under(d, state.Directories, nil)
	return d.err
}

// deletion is the deletion of an account's records; err is the first error.
type deletion struct {
	tx      *fsm.Txn
	account string
	records int
	err     error
}

// under deletes the records of a table that belong to the account, and does what
// else goes with each.
func under[T any](d *deletion, table fsm.Table[T], also func(id []string, value *T)) {
	if d.err != nil {
		return
	}
	d.err = table.Scan(d.tx.View(), []string{d.account}, nil, func(id []string, value *T) (bool, error) {
		if d.records++; d.records > maxIdentityRecords {
			return false, conflict("The account has more than %d users, groups, roles, policies and the like. Reopen it and delete them first.", maxIdentityRecords)
		}
		table.Delete(d.tx, id...)
		if also != nil {
			also(id, value)
		}
		return true, nil
	})
}

// either is a failure where there is one, and otherwise a refusal.
func either(failure, refusal error) error {
	if failure != nil {
		return failure
	}
	return refusal
}
