package sts

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type getAccessKeyInfoRequest struct{ AccessKeyID string }

func getAccessKeyInfoShape() *shape.Struct[getAccessKeyInfoRequest] {
	type r = getAccessKeyInfoRequest
	return shape.Of(shape.Text("AccessKeyId", shape.String{Min: 16, Max: 128, Pattern: &shape.Pattern{Expr: `[\w]*`, Match: isWord}},
		func(q *r) *string { return &q.AccessKeyID }).Required())
}

type getAccessKeyInfoParameters struct {
	AccessKeyID string `json:"accessKeyId"`
}

type getAccessKeyInfoResponse struct{ Account string }

// getAccessKeyInfo answers whose a long-term access key is, also one of another
// account ("GetAccessKeyInfo", STS API reference). Temporary ones are known to
// their tokens alone.
func (s *Service) getAccessKeyInfo(_ context.Context, tx *fsm.Txn, c *call.Call, q *getAccessKeyInfoRequest) (*getAccessKeyInfoResponse, error) {
	c.Record.Parameters = getAccessKeyInfoParameters{q.AccessKeyID}
	key, err := state.AccessKeys.Get(tx, q.AccessKeyID)
	if err != nil {
		return nil, err
	}
	if key == nil {
		return nil, invalid("Invalid Access Key")
	}
	return &getAccessKeyInfoResponse{key.AccountID}, nil
}

func isWord(s string) bool {
	for _, r := range s {
		if r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}
