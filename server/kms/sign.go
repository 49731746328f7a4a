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

// signRequest is what both operations have.
type signRequest struct {
	KeyID            string
	Message          []byte
	MessageType      string
	GrantTokens      []string
	SigningAlgorithm string
	DryRun           bool
}

type verifyRequest struct {
	signRequest
	Signature []byte
}

func signShape() *shape.Struct[signRequest] {
	return shape.Of(signMembers(func(q *signRequest) *signRequest { return q })...)
}

func verifyShape() *shape.Struct[verifyRequest] {
	type r = verifyRequest
	return shape.Of(append(signMembers(func(q *r) *signRequest { return &q.signRequest }),
		shape.Bytes("Signature", ciphertextType(), func(q *r) *[]byte { return &q.Signature }).Required())...)
}

func signMembers[T any](of func(*T) *signRequest) []shape.Member[T] {
	return []shape.Member[T]{
		shape.Text("KeyId", keyIDType(), func(q *T) *string { return &of(q).KeyID }).Required(),
		shape.Bytes("Message", plaintextType(), func(q *T) *[]byte { return &of(q).Message }).Required(),
		shape.Text("MessageType", messageTypeType(), func(q *T) *string { return &of(q).MessageType }),
		shape.Texts("GrantTokens", grantTokenList(), grantTokenType(), func(q *T) *[]string { return &of(q).GrantTokens }),
		shape.Text("SigningAlgorithm", signingAlgorithmSpec(), func(q *T) *string { return &of(q).SigningAlgorithm }).Required(),
		shape.Flag("DryRun", func(q *T) *bool { return &of(q).DryRun }),
	}
}

type signResponse struct {
	KeyID            string `json:"KeyId"`
	Signature        []byte
	SigningAlgorithm string
}

type verifyResponse struct {
	KeyID            string `json:"KeyId"`
	SignatureValid   bool
	SigningAlgorithm string
}

func (s *Service) sign(ctx context.Context, tx *fsm.Txn, c *call.Call, req *signRequest) (*signResponse, error) {
	k, material, input, err := s.signed(tx, c, req)
	if err != nil {
		return nil, err
	}
	signature, err := s.cfg.HSM.Sign(ctx, material.Wrapped, hsm.SigningAlgorithm(req.SigningAlgorithm), input)
	if err != nil {
		return nil, partitionFault("signing", err)
	}
	s.recordMaterial(c, k, material.ID)
	return &signResponse{KeyID: k.arn, Signature: signature, SigningAlgorithm: req.SigningAlgorithm}, mark(tx, c, k)
}

// verify needs no more than the public key, so it is done outside of the
// partition. It never answers that a signature is not valid: that is an exception.
func (s *Service) verify(_ context.Context, tx *fsm.Txn, c *call.Call, req *verifyRequest) (*verifyResponse, error) {
	k, material, input, err := s.signed(tx, c, &req.signRequest)
	if err != nil {
		return nil, err
	}
	err = algorithm.Verify(material.Wrapped.Public, k.Spec, hsm.SigningAlgorithm(req.SigningAlgorithm), input, req.Signature)
	if errors.Is(err, algorithm.ErrInvalidSignature) {
		return nil, invalidSignature()
	}
	if err != nil {
		return nil, fmt.Errorf("verifying a signature: %w", err)
	}
	return &verifyResponse{KeyID: k.arn, SignatureValid: true, SigningAlgorithm: req.SigningAlgorithm}, mark(tx, c, k)
}

// signed answers the key of a request, its material, and what of the message is
// signed.
func (s *Service) signed(tx *fsm.Txn, c *call.Call, req *signRequest) (k key, material *state.KeyMaterial, input []byte, err error) {
	c.Record.Parameters = &useParameters{
		KeyID: req.KeyID, MessageType: req.messageType(), SigningAlgorithm: req.SigningAlgorithm, DryRun: req.DryRun,
	}
	wanted := access{
		action: c.Operation, tokens: req.GrantTokens, algorithm: req.SigningAlgorithm,
		more: conditionValues{"kms:messagetype": {req.messageType()}},
	}
	if k, err = s.keyFor(tx, c, wanted, req.KeyID, byAlias); err != nil {
		return k, nil, nil, err
	}
	if err = suits(c, k, signVerify, req.SigningAlgorithm); err != nil {
		return k, nil, nil, err
	}
	if err = req.checkMessage(k.Spec); err != nil {
		return k, nil, nil, err
	}
	if req.DryRun {
		return k, nil, nil, wouldSucceed()
	}
	if material, err = currentMaterial(tx, k); err != nil || req.messageType() != raw {
		return k, material, req.Message, err
	}
	input, err = algorithm.Digest(material.Wrapped.Public, k.Spec, hsm.SigningAlgorithm(req.SigningAlgorithm), req.Message)
	if err != nil {
		err = fmt.Errorf("hashing a message: %w", err)
	}
	return k, material, input, err
}

func (q *signRequest) messageType() string {
	if q.MessageType == "" {
		return raw
	}
	return q.MessageType
}

// checkMessage refuses a message type that the algorithm does not take, and what
// is no digest of its.
func (q *signRequest) checkMessage(spec hsm.KeySpec) error {
	alg, messageType := hsm.SigningAlgorithm(q.SigningAlgorithm), q.messageType()
	switch {
	case alg == hsm.ED25519SHA512 && messageType != raw, alg == hsm.ED25519PH && messageType != digest:
		return invalid("Message type %s is incompatible with algorithm %s.", messageType, alg)
	case alg == hsm.MLDSAShake256 && messageType == digest, alg != hsm.MLDSAShake256 && messageType == externalMu:
		return invalid("Message type %s is incompatible with key spec %s.", messageType, spec)
	case messageType != raw && len(q.Message) != algorithm.DigestSize(alg):
		return invalid("Digest is invalid length for algorithm %s.", alg)
	}
	return nil
}
