package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

type deriveSharedSecretRequest struct {
	KeyID                 string
	KeyAgreementAlgorithm string
	PublicKey             []byte
	GrantTokens           []string
	DryRun                bool
	Recipient             *recipient
}

func deriveSharedSecretShape() *shape.Struct[deriveSharedSecretRequest] {
	type r = deriveSharedSecretRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Text("KeyAgreementAlgorithm", keyAgreementAlgorithmSpec(),
			func(q *r) *string { return &q.KeyAgreementAlgorithm }).Required(),
		shape.Bytes("PublicKey", publicKeyType(), func(q *r) *[]byte { return &q.PublicKey }).Required(),
		shape.Texts("GrantTokens", grantTokenList(), grantTokenType(), func(q *r) *[]string { return &q.GrantTokens }),
		shape.Flag("DryRun", func(q *r) *bool { return &q.DryRun }),
		shape.Nested("Recipient", recipientShape(), func(q *r) **recipient { return &q.Recipient }),
	)
}

type deriveSharedSecretResponse struct {
	KeyID                  string `json:"KeyId"`
	SharedSecret           []byte `json:",omitempty"`
	CiphertextForRecipient []byte `json:",omitempty"`
	KeyAgreementAlgorithm  string
	KeyOrigin              string
}

func (s *Service) deriveSharedSecret(ctx context.Context, tx *fsm.Txn, c *call.Call, req *deriveSharedSecretRequest) (*deriveSharedSecretResponse, error) {
	c.Record.Parameters = &useParameters{KeyID: req.KeyID, KeyAgreementAlgorithm: req.KeyAgreementAlgorithm, DryRun: req.DryRun}
	reader, err := s.recipient(c, req.Recipient)
	if err != nil {
		return nil, err
	}
	wanted := access{action: c.Operation, tokens: req.GrantTokens, algorithm: req.KeyAgreementAlgorithm}
	k, err := s.keyFor(tx, c, wanted, req.KeyID, byAlias)
	if err != nil {
		return nil, err
	}
	if err := suits(c, k, keyAgreement, req.KeyAgreementAlgorithm); err != nil {
		return nil, err
	}
	if algorithm.CheckPublic(k.Spec, req.PublicKey) != nil {
		return nil, invalidPublicKey()
	}
	if req.DryRun {
		return nil, wouldSucceed()
	}
	material, err := currentMaterial(tx, k)
	if err != nil {
		return nil, err
	}
	secret, err := s.cfg.HSM.Agree(ctx, material.Wrapped, req.PublicKey)
	if err != nil {
		return nil, partitionFault("deriving a shared secret", err)
	}
	s.recordMaterial(c, k, material.ID)
	sealed, err := reader.seal(&secret)
	if err != nil {
		return nil, err
	}
	return &deriveSharedSecretResponse{
		KeyID: k.arn, SharedSecret: secret, CiphertextForRecipient: sealed,
		KeyAgreementAlgorithm: req.KeyAgreementAlgorithm, KeyOrigin: k.Origin,
	}, mark(tx, c, k)
}
