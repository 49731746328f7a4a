package kms

import (
	"context"
	"fmt"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

type generateRandomRequest struct {
	NumberOfBytes    int
	CustomKeyStoreID string
	Recipient        *recipient
}

func generateRandomShape() *shape.Struct[generateRandomRequest] {
	type r = generateRandomRequest
	return shape.Of(
		shape.Number("NumberOfBytes", numberOfBytesType(), func(q *r) *int { return &q.NumberOfBytes }),
		shape.Text("CustomKeyStoreId", customKeyStoreIDType(), func(q *r) *string { return &q.CustomKeyStoreID }),
		shape.Nested("Recipient", recipientShape(), func(q *r) **recipient { return &q.Recipient }),
	)
}

type generateRandomResponse struct {
	Plaintext              []byte `json:",omitempty"`
	CiphertextForRecipient []byte `json:",omitempty"`
}

// generateRandom records neither parameters nor, though there is a list of them,
// any resource.
func (s *Service) generateRandom(ctx context.Context, tx *fsm.Txn, c *call.Call, req *generateRandomRequest) (*generateRandomResponse, error) {
	c.Record.Resources = []ledger.Resource{}
	if req.NumberOfBytes == 0 {
		return nil, invalid("NumberOfBytes is required.")
	}
	reader, err := s.recipient(c, req.Recipient)
	if err != nil {
		return nil, err
	}
	if err := s.authorizeOther(tx, c, to(c), anyResource); err != nil {
		return nil, err
	}
	if req.CustomKeyStoreID != "" {
		return nil, noKeyStore(req.CustomKeyStoreID)
	}
	if err := c.Charge(symmetricGroup); err != nil {
		return nil, err
	}
	plaintext := make([]byte, req.NumberOfBytes)
	if err := s.cfg.HSM.Random(ctx, plaintext); err != nil {
		return nil, fmt.Errorf("generating random bytes: %w", err)
	}
	sealed, err := reader.seal(&plaintext)
	if err != nil {
		return nil, err
	}
	return &generateRandomResponse{Plaintext: plaintext, CiphertextForRecipient: sealed}, nil
}

// noKeyStore refuses the id of a custom key store: there are none.
func noKeyStore(id string) error {
	return call.Errorf("CustomKeyStoreNotFoundException", "The custom key store %s does not exist.", id)
}
