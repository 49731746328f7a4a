package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

type describeKeyRequest struct {
	KeyID       string
	GrantTokens []string
}

func describeKeyShape() *shape.Struct[describeKeyRequest] {
	type r = describeKeyRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Texts("GrantTokens", grantTokenList(), grantTokenType(), func(q *r) *[]string { return &q.GrantTokens }),
	)
}

type describeKeyResponse struct{ KeyMetadata keyMetadata }

func (s *Service) describeKey(_ context.Context, tx *fsm.Txn, c *call.Call, req *describeKeyRequest) (*describeKeyResponse, error) {
	c.Record.Parameters = &keyParameters{KeyID: req.KeyID}
	k, err := s.keyFor(tx, c, access{action: c.Operation, tokens: req.GrantTokens}, req.KeyID, byAlias)
	if err != nil {
		return nil, err
	}
	return &describeKeyResponse{KeyMetadata: describe(k)}, nil
}
