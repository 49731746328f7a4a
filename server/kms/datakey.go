package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

// dataKeyRequest is what both operations have.
type dataKeyRequest struct {
	KeyID             string
	EncryptionContext []shape.Pair
	KeySpec           string
	NumberOfBytes     int
	GrantTokens       []string
	DryRun            bool
}

type generateDataKeyRequest struct {
	dataKeyRequest
	Recipient *recipient
}

func generateDataKeyShape() *shape.Struct[generateDataKeyRequest] {
	type r = generateDataKeyRequest
	return shape.Of(append(dataKeyMembers(func(q *r) *dataKeyRequest { return &q.dataKeyRequest }),
		shape.Nested("Recipient", recipientShape(), func(q *r) **recipient { return &q.Recipient }))...)
}

func generateDataKeyWithoutPlaintextShape() *shape.Struct[dataKeyRequest] {
	return shape.Of(dataKeyMembers(func(q *dataKeyRequest) *dataKeyRequest { return q })...)
}

func dataKeyMembers[T any](of func(*T) *dataKeyRequest) []shape.Member[T] {
	return []shape.Member[T]{
		shape.Text("KeyId", keyIDType(), func(q *T) *string { return &of(q).KeyID }).Required(),
		shape.Pairs("EncryptionContext", func(q *T) *[]shape.Pair { return &of(q).EncryptionContext }),
		shape.Text("KeySpec", dataKeySpec(), func(q *T) *string { return &of(q).KeySpec }),
		shape.Number("NumberOfBytes", numberOfBytesType(), func(q *T) *int { return &of(q).NumberOfBytes }),
		shape.Texts("GrantTokens", grantTokenList(), grantTokenType(), func(q *T) *[]string { return &of(q).GrantTokens }),
		shape.Flag("DryRun", func(q *T) *bool { return &of(q).DryRun }),
	}
}

type dataKeyResponse struct {
	CiphertextBlob         []byte
	Plaintext              []byte `json:",omitempty"`
	CiphertextForRecipient []byte `json:",omitempty"`
	KeyID                  string `json:"KeyId"`
	KeyMaterialID          string `json:"KeyMaterialId,omitempty"`
}

func (s *Service) generateDataKey(ctx context.Context, tx *fsm.Txn, c *call.Call, req *generateDataKeyRequest) (*dataKeyResponse, error) {
	return s.newDataKey(ctx, tx, c, &req.dataKeyRequest, req.Recipient)
}

func (s *Service) generateDataKeyWithoutPlaintext(ctx context.Context, tx *fsm.Txn, c *call.Call, req *dataKeyRequest) (*dataKeyResponse, error) {
	resp, err := s.newDataKey(ctx, tx, c, req, nil)
	if err != nil {
		return nil, err
	}
	clear(resp.Plaintext)
	resp.Plaintext = nil
	return resp, nil
}

// newDataKey makes a data key of the partition's random bytes and encrypts it.
func (s *Service) newDataKey(ctx context.Context, tx *fsm.Txn, c *call.Call, req *dataKeyRequest, r *recipient) (*dataKeyResponse, error) {
	ec := encryptionContext(req.EncryptionContext)
	c.Record.Parameters = &useParameters{
		KeyID: req.KeyID, KeySpec: req.KeySpec, NumberOfBytes: req.NumberOfBytes, EncryptionContext: ec, DryRun: req.DryRun,
	}
	size, err := req.size()
	if err != nil {
		return nil, err
	}
	if err := ec.check(symmetricDefault); err != nil {
		return nil, err
	}
	reader, err := s.recipient(c, r)
	if err != nil {
		return nil, err
	}
	wanted := access{action: c.Operation, context: ec, tokens: req.GrantTokens, algorithm: symmetricDefault}
	k, err := s.keyFor(tx, c, wanted, req.KeyID, byAlias)
	if err != nil {
		return nil, err
	}
	if err := suits(c, k, encryptDecrypt, symmetricDefault); err != nil {
		return nil, err
	}
	if req.DryRun {
		return nil, wouldSucceed()
	}
	plaintext := make([]byte, size)
	if err := s.cfg.HSM.Random(ctx, plaintext); err != nil {
		return nil, partitionFault("generating a data key", err)
	}
	ciphertext, err := s.seal(ctx, tx, c, k, symmetricDefault, plaintext, ec)
	if err != nil {
		return nil, err
	}
	s.recordMaterial(c, k, k.MaterialID)
	sealed, err := reader.seal(&plaintext)
	if err != nil {
		return nil, err
	}
	return &dataKeyResponse{
		CiphertextBlob: ciphertext, Plaintext: plaintext, CiphertextForRecipient: sealed, KeyID: k.arn, KeyMaterialID: shownMaterial(k, k.MaterialID),
	}, mark(tx, c, k)
}

// size is the length of the data key in bytes.
func (q *dataKeyRequest) size() (int, error) {
	switch {
	case (q.KeySpec == "") == (q.NumberOfBytes == 0):
		return 0, invalid("Please specify either number of bytes or key spec.")
	case q.KeySpec == "AES_128":
		return 16, nil
	case q.KeySpec == "AES_256":
		return 32, nil
	}
	return q.NumberOfBytes, nil
}
