package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

func listAliasesShape() *shape.Struct[listRequest] {
	return shape.Of(append([]shape.Member[listRequest]{listKeyID()}, listPage()...)...)
}

type listAliasesResponse struct {
	Aliases []aliasListEntry
	truncation
}

type aliasListEntry struct {
	AliasName       string
	AliasArn        string
	TargetKeyID     string `json:"TargetKeyId"` // a bare id, unlike elsewhere
	CreationDate    timestamp
	LastUpdatedDate timestamp
}

// listAliases reads the aliases of one key within the transaction, since the
// read of the key guards them, and those of all keys after the commit.
func (s *Service) listAliases(_ context.Context, tx *fsm.Txn, c *call.Call, req *listRequest) (any, error) {
	c.Record.Parameters = req.recorded()
	if err := s.authorizeOther(tx, c, to(c), anyResource); err != nil {
		return nil, err
	}
	if req.KeyID != "" {
		return s.listAliasesOfKey(tx, c, req)
	}
	p, err := newPage("aliases", req.Limit, 50, 100, req.Marker, aliasName)
	if err != nil {
		return nil, err
	}
	c.Record.Resources = []ledger.Resource{} // "ListAliases" among the log entry examples of the KMS developer guide
	account, region := c.Principal.AccountID, c.Region
	return call.Later(func(view fsm.View) (any, error) {
		resp := &listAliasesResponse{Aliases: []aliasListEntry{}}
		err := state.Aliases.Scan(view, []string{account, region}, p.start(account, region),
			func(_ []string, alias *state.Alias) (bool, error) { return resp.add(p, alias), nil })
		return resp, err
	}), nil
}

func (s *Service) listAliasesOfKey(tx *fsm.Txn, c *call.Call, req *listRequest) (*listAliasesResponse, error) {
	k, err := s.ownKey(tx, c, req.KeyID)
	if err != nil {
		return nil, err
	}
	p, err := newPage("aliases "+k.ID, req.Limit, 50, 100, req.Marker, aliasName)
	if err != nil {
		return nil, err
	}
	resp := &listAliasesResponse{Aliases: []aliasListEntry{}}
	err = state.KeyAliases.Scan(tx.View(), []string{k.AccountID, k.Region, k.ID}, p.start(k.AccountID, k.Region, k.ID),
		func(id []string, _ *state.KeyAlias) (bool, error) {
			alias, _, err := state.Aliases.Peek(tx.View(), k.AccountID, k.Region, id[len(id)-1])
			if err != nil || alias == nil { // absent: just deleted, and the commit conflicts
				return err == nil, err
			}
			return resp.add(p, alias), nil
		})
	return resp, err
}

// add appends an alias to the page and says whether there is room for more.
func (r *listAliasesResponse) add(p page, alias *state.Alias) bool {
	if n := len(r.Aliases); n > 0 && r.full(p, n, r.Aliases[n-1].AliasName) {
		return false
	}
	r.Aliases = append(r.Aliases, aliasListEntry{
		AliasName: alias.Name, AliasArn: alias.ARN(), TargetKeyID: alias.KeyID,
		CreationDate: timestamp(alias.Created), LastUpdatedDate: timestamp(alias.Updated),
	})
	return true
}
