package kms

import (
	"context"
	"fmt"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

// keyPairRequest is what both operations have.
type keyPairRequest struct {
	EncryptionContext []shape.Pair
	KeyID             string
	KeyPairSpec       string
	GrantTokens       []string
	DryRun            bool
}

type generateDataKeyPairRequest struct {
	keyPairRequest
	Recipient *recipient
}

func generateDataKeyPairShape() *shape.Struct[generateDataKeyPairRequest] {
	type r = generateDataKeyPairRequest
	return shape.Of(append(keyPairMembers(func(q *r) *keyPairRequest { return &q.keyPairRequest }),
		shape.Nested("Recipient", recipientShape(), func(q *r) **recipient { return &q.Recipient }))...)
}

func generateDataKeyPairWithoutPlaintextShape() *shape.Struct[keyPairRequest] {
	return shape.Of(keyPairMembers(func(q *keyPairRequest) *keyPairRequest { return q })...)
}

func keyPairMembers[T any](of func(*T) *keyPairRequest) []shape.Member[T] {
	return []shape.Member[T]{
		shape.Pairs("EncryptionContext", func(q *T) *[]shape.Pair { return &of(q).EncryptionContext }),
		shape.Text("KeyId", keyIDType(), func(q *T) *string { return &of(q).KeyID }).Required(),
		shape.Text("KeyPairSpec", dataKeyPairSpec(), func(q *T) *string { return &of(q).KeyPairSpec }).Required(),
		shape.Texts("GrantTokens", grantTokenList(), grantTokenType(), func(q *T) *[]string { return &of(q).GrantTokens }),
		shape.Flag("DryRun", func(q *T) *bool { return &of(q).DryRun }),
	}
}

type keyPairResponse struct {
	PrivateKeyCiphertextBlob []byte
	PrivateKeyPlaintext      []byte `json:",omitempty"`
	CiphertextForRecipient   []byte `json:",omitempty"` // of the private key
	PublicKey                []byte
	KeyID                    string `json:"KeyId"`
	KeyPairSpec              string
	KeyMaterialID            string `json:"KeyMaterialId"`
}

func (s *Service) generateDataKeyPair(ctx context.Context, tx *fsm.Txn, c *call.Call, req *generateDataKeyPairRequest) (*keyPairResponse, error) {
	return s.newKeyPair(ctx, tx, c, &req.keyPairRequest, req.Recipient)
}

func (s *Service) generateDataKeyPairWithoutPlaintext(ctx context.Context, tx *fsm.Txn, c *call.Call, req *keyPairRequest) (*keyPairResponse, error) {
	resp, err := s.newKeyPair(ctx, tx, c, req, nil)
	if err != nil {
		return nil, err
	}
	clear(resp.PrivateKeyPlaintext)
	resp.PrivateKeyPlaintext = nil
	return resp, nil
}

// newKeyPair makes a key pair for use outside, of the partition's random bytes,
// and encrypts its private key. The pair is made in the node's memory: it leaves
// in clear anyway, now or when the private key is decrypted.
func (s *Service) newKeyPair(ctx context.Context, tx *fsm.Txn, c *call.Call, req *keyPairRequest, r *recipient) (*keyPairResponse, error) {
	ec := encryptionContext(req.EncryptionContext)
	c.Record.Parameters = &useParameters{KeyID: req.KeyID, KeyPairSpec: req.KeyPairSpec, EncryptionContext: ec, DryRun: req.DryRun}
	if err := ec.check(symmetricDefault); err != nil {
		return nil, err
	}
	reader, err := s.recipient(c, r)
	if err != nil {
		return nil, err
	}
	wanted := access{
		action: c.Operation, context: ec, tokens: req.GrantTokens, algorithm: symmetricDefault,
		more: conditionValues{"kms:datakeypairspec": {req.KeyPairSpec}},
	}
	k, err := s.keyFor(tx, c, wanted, req.KeyID, byAlias)
	if err != nil {
		return nil, err
	}
	if err := suits(c, k, encryptDecrypt, symmetricDefault); err != nil {
		return nil, err
	}
	if k.store != nil {
		return nil, originRefused(k)
	}
	if err := c.Charge(keyPairGroup(req.KeyPairSpec)); err != nil {
		return nil, err
	}
	if req.DryRun {
		return nil, wouldSucceed()
	}
	random := &partitionRandom{ctx: ctx, partition: s.cfg.HSM}
	private, public, err := algorithm.GenerateFrom(random, hsm.KeySpec(req.KeyPairSpec))
	random.wipe()
	if err != nil {
		return nil, fmt.Errorf("generating a data key pair: %w", err)
	}
	ciphertext, err := s.seal(ctx, tx, c, k, symmetricDefault, private, ec)
	if err != nil {
		return nil, err
	}
	s.recordMaterial(c, k, k.MaterialID)
	sealed, err := reader.seal(&private)
	if err != nil {
		return nil, err
	}
	return &keyPairResponse{
		PrivateKeyCiphertextBlob: ciphertext, PrivateKeyPlaintext: private, CiphertextForRecipient: sealed, PublicKey: public,
		KeyID: k.arn, KeyPairSpec: req.KeyPairSpec, KeyMaterialID: k.MaterialID,
	}, mark(tx, c, k)
}

// partitionRandom reads the partition's random numbers, more and more at a time: a
// curve's private number takes 32 bytes, the search for a prime of 2,048 bits
// about 180 KB. It belongs to one goroutine.
type partitionRandom struct {
	ctx       context.Context
	partition HSM
	block     [4096]byte
	size      int    // of the last read
	left      []byte // of block
}

// Read implements io.Reader. It wipes what it has handed out.
func (r *partitionRandom) Read(b []byte) (int, error) {
	if len(r.left) == 0 {
		r.size = min(max(2*r.size, len(b)), len(r.block))
		if err := r.partition.Random(r.ctx, r.block[:r.size]); err != nil {
			return 0, err
		}
		r.left = r.block[:r.size]
	}
	n := copy(b, r.left)
	clear(r.left[:n])
	r.left = r.left[n:]
	return n, nil
}

func (r *partitionRandom) wipe() { clear(r.block[:]) }
