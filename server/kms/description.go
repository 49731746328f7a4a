package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

type updateKeyDescriptionRequest struct{ KeyID, Description string }

func updateKeyDescriptionShape() *shape.Struct[updateKeyDescriptionRequest] {
	type r = updateKeyDescriptionRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Text("Description", descriptionType(), func(q *r) *string { return &q.Description }).Required(),
	)
}

type updateKeyDescriptionParameters struct {
	KeyID       string `json:"keyId"`
	Description string `json:"description"`
}

func (s *Service) updateKeyDescription(_ context.Context, tx *fsm.Txn, c *call.Call, req *updateKeyDescriptionRequest) (any, error) {
	c.Record.Parameters = &updateKeyDescriptionParameters{KeyID: req.KeyID, Description: req.Description}
	k, err := s.key(tx, c, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	next := *k.Key
	next.Description = req.Description
	changed(c, k)
	return nil, put(tx, &next)
}
