package kms

import (
	"context"
	"encoding/hex"
	"slices"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/policy"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type decryptRequest struct {
	CiphertextBlob      []byte
	EncryptionContext   []shape.Pair
	GrantTokens         []string
	KeyID               string
	EncryptionAlgorithm string
	Recipient           *recipient
	DryRun              bool
	DryRunModifiers     []string
}

func decryptShape() *shape.Struct[decryptRequest] {
	type r = decryptRequest
	return shape.Of(
		shape.Bytes("CiphertextBlob", ciphertextType(), func(q *r) *[]byte { return &q.CiphertextBlob }),
		shape.Pairs("EncryptionContext", func(q *r) *[]shape.Pair { return &q.EncryptionContext }),
		shape.Texts("GrantTokens", grantTokenList(), grantTokenType(), func(q *r) *[]string { return &q.GrantTokens }),
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }),
		shape.Text("EncryptionAlgorithm", encryptionAlgorithmSpec(), func(q *r) *string { return &q.EncryptionAlgorithm }),
		shape.Nested("Recipient", recipientShape(), func(q *r) **recipient { return &q.Recipient }),
		shape.Flag("DryRun", func(q *r) *bool { return &q.DryRun }),
		shape.Texts("DryRunModifiers", shape.List{}, dryRunModifierType(), func(q *r) *[]string { return &q.DryRunModifiers }),
	)
}

type decryptResponse struct {
	KeyID                  string `json:"KeyId"`
	Plaintext              []byte `json:",omitempty"`
	CiphertextForRecipient []byte `json:",omitempty"`
	EncryptionAlgorithm    string
	KeyMaterialID          string `json:"KeyMaterialId,omitempty"`
}

func (s *Service) decrypt(ctx context.Context, tx *fsm.Txn, c *call.Call, req *decryptRequest) (*decryptResponse, error) {
	ec := encryptionContext(req.EncryptionContext)
	c.Record.Parameters = &useParameters{
		KeyID: req.KeyID, EncryptionAlgorithm: orDefault(req.EncryptionAlgorithm), EncryptionContext: ec, DryRun: req.DryRun,
	}
	reader, err := s.recipient(c, req.Recipient)
	if err != nil {
		return nil, err
	}
	from, err := s.reveal(ctx, tx, c, source{
		access:     access{action: c.Operation, context: ec, tokens: req.GrantTokens, algorithm: orDefault(req.EncryptionAlgorithm)},
		ciphertext: req.CiphertextBlob, keyID: req.KeyID, algorithm: req.EncryptionAlgorithm,
		blind: req.DryRun && slices.Contains(req.DryRunModifiers, ignoreCiphertext),
	})
	if err != nil {
		return nil, err
	}
	if req.DryRun {
		return nil, wouldSucceed()
	}
	s.recordMaterial(c, from.key, from.materialID)
	sealed, err := reader.seal(&from.plaintext)
	if err != nil {
		return nil, err
	}
	return &decryptResponse{
		KeyID: from.arn, Plaintext: from.plaintext, CiphertextForRecipient: sealed,
		EncryptionAlgorithm: from.algorithm, KeyMaterialID: from.materialID,
	}, mark(tx, c, from.key)
}

// source is what Decrypt and ReEncrypt decrypt.
type source struct {
	access
	ciphertext []byte
	keyID      string // "" where the request names no key
	algorithm  string // "" where the request names none
	blind      bool   // only the key and the right to use it matter
}

// revealed is what became of a source.
type revealed struct {
	key
	algorithm  string
	materialID string // "" of an asymmetric key
	plaintext  []byte
}

// reveal decrypts with the key that the ciphertext names, which must be the one
// that the request names where it does. A ciphertext of an asymmetric key names
// none: the request does, and says with which algorithm.
func (s *Service) reveal(ctx context.Context, tx *fsm.Txn, c *call.Call, src source) (r revealed, err error) {
	if err := src.check(); err != nil {
		return r, err
	}
	if src.keyID != "" {
		if r.key, err = s.lookup(tx, c, src.access, src.keyID, byAlias); err != nil {
			return r, err
		}
	}
	var blob *hsm.Blob
	if !src.blind && !src.raw() {
		if blob, err = src.parse(r.key); err != nil {
			return r, err
		}
	}
	if blob != nil {
		if r.key, err = s.sealedBy(tx, c, src.access, r.key, blob); err != nil {
			return r, err
		}
	}
	if err := s.states.check(c.Operation, r.key); err != nil {
		return r, err
	}
	r.algorithm = orDefault(src.algorithm)
	if err := suits(c, r.key, encryptDecrypt, r.algorithm); err != nil || src.blind {
		return r, err
	}
	if blob == nil {
		r.plaintext, err = s.openPrivately(ctx, tx, r.key, r.algorithm, src.ciphertext)
		return r, err
	}
	r.materialID = shownMaterial(r.key, hex.EncodeToString(blob.Material[:]))
	r.plaintext, err = s.open(ctx, tx, c, r.key, blob, src.context)
	return r, err
}

// raw says whether the ciphertext is of an asymmetric key: nothing but what the
// algorithm makes.
func (src *source) raw() bool { return src.keyID != "" && orDefault(src.algorithm) != symmetricDefault }

// parse reads a ciphertext that names its key. It answers nil for what is none
// where the request names a key that makes no such ciphertexts: the algorithm is
// what is wrong then.
func (src *source) parse(named key) (*hsm.Blob, error) {
	blob, err := hsm.ParseBlob(src.ciphertext)
	switch {
	case err == nil:
		return blob, nil
	case named.Key != nil && named.Spec != hsm.SymmetricDefault:
		return nil, nil
	}
	return nil, invalidCiphertext()
}

// keyID is the id of the source key, "" where there is none yet.
func (r *revealed) keyID() string {
	if r.Key == nil {
		return ""
	}
	return r.ID
}

// check refuses a request that cannot be decided without what it leaves out.
func (src *source) check() error {
	if src.ciphertext == nil && !src.blind {
		return invalid("1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: " +
			"Member must not be null")
	}
	if src.keyID == "" && src.blind {
		return invalid("You must specify the KMS key when DryRunModifiers is IGNORE_CIPHERTEXT.")
	}
	return src.context.check(src.algorithm)
}

// sealedBy answers the key that a ciphertext names. Where the request names a
// key, it must be that one.
func (s *Service) sealedBy(tx *fsm.Txn, c *call.Call, a access, named key, blob *hsm.Blob) (key, error) {
	account, id := blob.Account.String(), blob.Key.String()
	if named.Key != nil {
		if named.AccountID != account || named.ID != id {
			return key{}, incorrectKey()
		}
		return named, nil
	}
	found, err := state.Keys.Get(tx, account, c.Region, id)
	if err != nil {
		return key{}, err
	}
	d, r, err := s.decide(tx, c, &a, reference{account: account, region: c.Region, id: id}, found)
	switch {
	case err != nil:
		return key{}, err
	case found == nil || d.Foreign:
		return key{}, foreignCiphertext()
	case d.Outcome != policy.Allow:
		return key{}, refusal(d, r)
	}
	return charged(tx, c, found)
}
