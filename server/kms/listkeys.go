package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

func listKeysShape() *shape.Struct[listRequest] { return shape.Of(listPage()...) }

type listKeysResponse struct {
	Keys []keyListEntry
	truncation
}

type keyListEntry struct {
	KeyID  string `json:"KeyId"`
	KeyArn string
}

// listKeys commits its record, then reads: the list includes whatever was
// acknowledged before the call.
func (s *Service) listKeys(_ context.Context, tx *fsm.Txn, c *call.Call, req *listRequest) (call.Later, error) {
	c.Record.Parameters = req.recorded()
	if err := s.authorizeOther(tx, c, to(c), anyResource); err != nil {
		return nil, err
	}
	p, err := newPage("keys", req.Limit, 100, 1000, req.Marker, keyID)
	if err != nil {
		return nil, err
	}
	account, region := c.Principal.AccountID, c.Region
	return func(view fsm.View) (any, error) {
		resp := &listKeysResponse{Keys: []keyListEntry{}}
		err := state.Keys.Scan(view, []string{account, region}, p.start(account, region),
			func(_ []string, k *state.Key) (bool, error) {
				if n := len(resp.Keys); n > 0 && resp.full(p, n, resp.Keys[n-1].KeyID) {
					return false, nil
				}
				resp.Keys = append(resp.Keys, keyListEntry{KeyID: k.ID, KeyArn: k.ARN()})
				return true, nil
			})
		return resp, err
	}, nil
}
