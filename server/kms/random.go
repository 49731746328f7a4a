package kms

import (
	"context"
	"fmt"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
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
	if err := c.Charge(symmetricGroup); err != nil {
		return nil, err
	}
	plaintext := make([]byte, req.NumberOfBytes)
	if err := s.random(ctx, tx, c, req.CustomKeyStoreID, plaintext); err != nil {
		return nil, err
	}
	sealed, err := reader.seal(&plaintext)
	if err != nil {
		return nil, err
	}
	return &generateRandomResponse{Plaintext: plaintext, CiphertextForRecipient: sealed}, nil
}

// random fills b from the partition, or from the cluster of a custom key store.
func (s *Service) random(ctx context.Context, tx *fsm.Txn, c *call.Call, keyStoreID string, b []byte) error {
	if keyStoreID == "" {
		if err := s.cfg.HSM.Random(ctx, b); err != nil {
			return fmt.Errorf("generating random bytes: %w", err)
		}
		return nil
	}
	store, err := readKeyStore(tx, c, keyStoreID)
	switch {
	case err != nil:
		return err
	case store.Type != state.CloudHSM:
		return unsupported("The custom key store %s is an external key store, which generates no random bytes.", store.ID)
	case !store.Connected():
		return notInState(store)
	}
	return s.clusterRandom(ctx, tx, store, b)
}
