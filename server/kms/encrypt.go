package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

type encryptRequest struct {
	KeyID               string
	Plaintext           []byte
	EncryptionContext   []shape.Pair
	GrantTokens         []string
	EncryptionAlgorithm string
	DryRun              bool
}

func encryptShape() *shape.Struct[encryptRequest] {
	type r = encryptRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Bytes("Plaintext", plaintextType(), func(q *r) *[]byte { return &q.Plaintext }).Required(),
		shape.Pairs("EncryptionContext", func(q *r) *[]shape.Pair { return &q.EncryptionContext }),
		shape.Texts("GrantTokens", grantTokenList(), grantTokenType(), func(q *r) *[]string { return &q.GrantTokens }),
		shape.Text("EncryptionAlgorithm", encryptionAlgorithmSpec(), func(q *r) *string { return &q.EncryptionAlgorithm }),
		shape.Flag("DryRun", func(q *r) *bool { return &q.DryRun }),
	)
}

type encryptResponse struct {
	CiphertextBlob      []byte
	KeyID               string `json:"KeyId"`
	EncryptionAlgorithm string
}

func (s *Service) encrypt(ctx context.Context, tx *fsm.Txn, c *call.Call, req *encryptRequest) (*encryptResponse, error) {
	ec := encryptionContext(req.EncryptionContext)
	c.Record.Parameters = &useParameters{
		KeyID: req.KeyID, EncryptionAlgorithm: orDefault(req.EncryptionAlgorithm), EncryptionContext: ec, DryRun: req.DryRun,
	}
	if err := ec.check(req.EncryptionAlgorithm); err != nil {
		return nil, err
	}
	alg := orDefault(req.EncryptionAlgorithm)
	wanted := access{action: c.Operation, context: ec, tokens: req.GrantTokens, algorithm: alg}
	k, err := s.keyFor(tx, c, wanted, req.KeyID, byAlias)
	if err != nil {
		return nil, err
	}
	if err := sealable(c, k, alg, req.Plaintext); err != nil {
		return nil, err
	}
	if req.DryRun {
		return nil, wouldSucceed()
	}
	ciphertext, err := s.seal(ctx, tx, c, k, alg, req.Plaintext, ec)
	if err != nil {
		return nil, err
	}
	if alg == symmetricDefault { // otherwise no material was used, only the public key
		s.recordMaterial(c, k, k.MaterialID)
	}
	return &encryptResponse{CiphertextBlob: ciphertext, KeyID: k.arn, EncryptionAlgorithm: alg}, mark(tx, c, k)
}
