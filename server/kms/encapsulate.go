package kms

import (
	"context"
	"errors"
	"fmt"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// encapsulateRequest is what both operations have.
type encapsulateRequest struct {
	KeyID                  string
	EncapsulationAlgorithm string
	GrantTokens            []string
	DryRun                 bool
}

type decapsulateRequest struct {
	encapsulateRequest
	SharedSecretCiphertextBlob []byte
}

func encapsulateShape() *shape.Struct[encapsulateRequest] {
	return shape.Of(encapsulateMembers(func(q *encapsulateRequest) *encapsulateRequest { return q })...)
}

func decapsulateShape() *shape.Struct[decapsulateRequest] {
	type r = decapsulateRequest
	return shape.Of(append(encapsulateMembers(func(q *r) *encapsulateRequest { return &q.encapsulateRequest }),
		shape.Bytes("SharedSecretCiphertextBlob", ciphertextType(),
			func(q *r) *[]byte { return &q.SharedSecretCiphertextBlob }).Required())...)
}

func encapsulateMembers[T any](of func(*T) *encapsulateRequest) []shape.Member[T] {
	return []shape.Member[T]{
		shape.Text("KeyId", keyIDType(), func(q *T) *string { return &of(q).KeyID }).Required(),
		shape.Text("EncapsulationAlgorithm", encapsulationAlgorithmSpec(),
			func(q *T) *string { return &of(q).EncapsulationAlgorithm }).Required(),
		shape.Texts("GrantTokens", grantTokenList(), grantTokenType(), func(q *T) *[]string { return &of(q).GrantTokens }),
		shape.Flag("DryRun", func(q *T) *bool { return &of(q).DryRun }),
	}
}

type encapsulateResponse struct {
	KeyID                      string `json:"KeyId"`
	SharedSecret               []byte
	SharedSecretCiphertextBlob []byte
	EncapsulationAlgorithm     string
}

type decapsulateResponse struct {
	KeyID                  string `json:"KeyId"`
	SharedSecret           []byte
	EncapsulationAlgorithm string
}

// encapsulate needs no more than the public key, so it is done outside of the
// partition.
func (s *Service) encapsulate(_ context.Context, tx *fsm.Txn, c *call.Call, req *encapsulateRequest) (*encapsulateResponse, error) {
	k, material, err := s.encapsulated(tx, c, req)
	if err != nil {
		return nil, err
	}
	secret, ciphertext, err := algorithm.Encapsulate(material.Wrapped.Public, k.Spec)
	if err != nil {
		return nil, fmt.Errorf("encapsulating a secret: %w", err)
	}
	return &encapsulateResponse{
		KeyID: k.arn, SharedSecret: secret, SharedSecretCiphertextBlob: ciphertext, EncapsulationAlgorithm: req.EncapsulationAlgorithm,
	}, mark(tx, c, k)
}

// decapsulate answers a secret also for a ciphertext that was made for another
// key: implicit rejection (FIPS 203 §7.3). Only a length that no ciphertext of the
// key has is refused.
func (s *Service) decapsulate(ctx context.Context, tx *fsm.Txn, c *call.Call, req *decapsulateRequest) (*decapsulateResponse, error) {
	k, material, err := s.encapsulated(tx, c, &req.encapsulateRequest)
	if err != nil {
		return nil, err
	}
	secret, err := s.cfg.HSM.Decapsulate(ctx, material.Wrapped, req.SharedSecretCiphertextBlob)
	if errors.Is(err, hsm.ErrInvalidCiphertext) {
		return nil, invalidCiphertext()
	}
	if err != nil {
		return nil, partitionFault("decapsulating a secret", err)
	}
	s.recordMaterial(c, k, material.ID)
	return &decapsulateResponse{KeyID: k.arn, SharedSecret: secret, EncapsulationAlgorithm: req.EncapsulationAlgorithm}, mark(tx, c, k)
}

// encapsulated answers the key of a request and its material.
func (s *Service) encapsulated(tx *fsm.Txn, c *call.Call, req *encapsulateRequest) (key, *state.KeyMaterial, error) {
	c.Record.Parameters = &useParameters{KeyID: req.KeyID, EncapsulationAlgorithm: req.EncapsulationAlgorithm, DryRun: req.DryRun}
	k, err := s.keyFor(tx, c, access{action: c.Operation, tokens: req.GrantTokens}, req.KeyID, byAlias)
	if err != nil {
		return k, nil, err
	}
	if err := suits(c, k, encapsulateDecapsulate, req.EncapsulationAlgorithm); err != nil {
		return k, nil, err
	}
	if req.DryRun {
		return k, nil, wouldSucceed()
	}
	material, err := currentMaterial(tx, k)
	return k, material, err
}
