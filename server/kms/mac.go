package kms

import (
	"context"
	"crypto/hmac"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

// macRequest is what both operations have.
type macRequest struct {
	Message      []byte
	KeyID        string
	MacAlgorithm string
	GrantTokens  []string
	DryRun       bool
}

type verifyMacRequest struct {
	macRequest
	Mac []byte
}

func generateMacShape() *shape.Struct[macRequest] {
	return shape.Of(macMembers(func(q *macRequest) *macRequest { return q })...)
}

func verifyMacShape() *shape.Struct[verifyMacRequest] {
	type r = verifyMacRequest
	return shape.Of(append(macMembers(func(q *r) *macRequest { return &q.macRequest }),
		shape.Bytes("Mac", ciphertextType(), func(q *r) *[]byte { return &q.Mac }).Required())...)
}

func macMembers[T any](of func(*T) *macRequest) []shape.Member[T] {
	return []shape.Member[T]{
		shape.Bytes("Message", plaintextType(), func(q *T) *[]byte { return &of(q).Message }).Required(),
		shape.Text("KeyId", keyIDType(), func(q *T) *string { return &of(q).KeyID }).Required(),
		shape.Text("MacAlgorithm", macAlgorithmSpec(), func(q *T) *string { return &of(q).MacAlgorithm }).Required(),
		shape.Texts("GrantTokens", grantTokenList(), grantTokenType(), func(q *T) *[]string { return &of(q).GrantTokens }),
		shape.Flag("DryRun", func(q *T) *bool { return &of(q).DryRun }),
	}
}

type generateMacResponse struct {
	Mac          []byte
	MacAlgorithm string
	KeyID        string `json:"KeyId"`
}

type verifyMacResponse struct {
	KeyID        string `json:"KeyId"`
	MacValid     bool
	MacAlgorithm string
}

func (s *Service) generateMac(ctx context.Context, tx *fsm.Txn, c *call.Call, req *macRequest) (*generateMacResponse, error) {
	k, mac, err := s.mac(ctx, tx, c, req)
	if err != nil {
		return nil, err
	}
	return &generateMacResponse{Mac: mac, MacAlgorithm: req.MacAlgorithm, KeyID: k.arn}, mark(tx, c, k)
}

// verifyMac never answers that a MAC is not valid: that is an exception.
func (s *Service) verifyMac(ctx context.Context, tx *fsm.Txn, c *call.Call, req *verifyMacRequest) (*verifyMacResponse, error) {
	k, mac, err := s.mac(ctx, tx, c, &req.macRequest)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(mac, req.Mac) { // in constant time
		return nil, invalidMAC()
	}
	return &verifyMacResponse{KeyID: k.arn, MacValid: true, MacAlgorithm: req.MacAlgorithm}, mark(tx, c, k)
}

// mac answers the HMAC of the message of a request.
func (s *Service) mac(ctx context.Context, tx *fsm.Txn, c *call.Call, req *macRequest) (key, []byte, error) {
	c.Record.Parameters = &useParameters{KeyID: req.KeyID, MacAlgorithm: req.MacAlgorithm, DryRun: req.DryRun}
	k, err := s.keyFor(tx, c, access{action: c.Operation, tokens: req.GrantTokens, algorithm: req.MacAlgorithm}, req.KeyID, byAlias)
	if err != nil {
		return k, nil, err
	}
	if err := suits(c, k, generateVerifyMac, req.MacAlgorithm); err != nil {
		return k, nil, err
	}
	if req.DryRun {
		return k, nil, wouldSucceed()
	}
	material, err := currentMaterial(tx, k)
	if err != nil {
		return k, nil, err
	}
	s.recordMaterial(c, k, material.ID)
	mac, err := s.cfg.HSM.MAC(ctx, material.Wrapped, hsm.MACAlgorithm(req.MacAlgorithm), req.Message)
	if err != nil {
		return k, nil, partitionFault("computing a MAC", err)
	}
	return k, mac, nil
}
