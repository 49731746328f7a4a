package kms

import (
	"context"
	"errors"
	"slices"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

type reEncryptRequest struct {
	CiphertextBlob                 []byte
	SourceEncryptionContext        []shape.Pair
	SourceKeyID                    string
	DestinationKeyID               string
	DestinationEncryptionContext   []shape.Pair
	SourceEncryptionAlgorithm      string
	DestinationEncryptionAlgorithm string
	GrantTokens                    []string
	DryRun                         bool
	DryRunModifiers                []string
}

func reEncryptShape() *shape.Struct[reEncryptRequest] {
	type r = reEncryptRequest
	return shape.Of(
		shape.Bytes("CiphertextBlob", ciphertextType(), func(q *r) *[]byte { return &q.CiphertextBlob }),
		shape.Pairs("SourceEncryptionContext", func(q *r) *[]shape.Pair { return &q.SourceEncryptionContext }),
		shape.Text("SourceKeyId", keyIDType(), func(q *r) *string { return &q.SourceKeyID }),
		shape.Text("DestinationKeyId", keyIDType(), func(q *r) *string { return &q.DestinationKeyID }).Required(),
		shape.Pairs("DestinationEncryptionContext", func(q *r) *[]shape.Pair { return &q.DestinationEncryptionContext }),
		shape.Text("SourceEncryptionAlgorithm", encryptionAlgorithmSpec(),
			func(q *r) *string { return &q.SourceEncryptionAlgorithm }),
		shape.Text("DestinationEncryptionAlgorithm", encryptionAlgorithmSpec(),
			func(q *r) *string { return &q.DestinationEncryptionAlgorithm }),
		shape.Texts("GrantTokens", grantTokenList(), grantTokenType(), func(q *r) *[]string { return &q.GrantTokens }),
		shape.Flag("DryRun", func(q *r) *bool { return &q.DryRun }),
		shape.Texts("DryRunModifiers", shape.List{}, dryRunModifierType(), func(q *r) *[]string { return &q.DryRunModifiers }),
	)
}

type reEncryptResponse struct {
	CiphertextBlob                 []byte
	SourceKeyID                    string `json:"SourceKeyId"`
	KeyID                          string `json:"KeyId"`
	SourceEncryptionAlgorithm      string
	DestinationEncryptionAlgorithm string
	SourceKeyMaterialID            string `json:"SourceKeyMaterialId,omitempty"`
	DestinationKeyMaterialID       string `json:"DestinationKeyMaterialId,omitempty"`
}

type reEncryptParameters struct {
	SourceKeyID                    string            `json:"sourceKeyId,omitempty"`
	SourceEncryptionAlgorithm      string            `json:"sourceEncryptionAlgorithm"`
	SourceEncryptionContext        encryptionContext `json:"sourceEncryptionContext,omitempty"`
	DestinationKeyID               string            `json:"destinationKeyId"`
	DestinationEncryptionAlgorithm string            `json:"destinationEncryptionAlgorithm"`
	DestinationEncryptionContext   encryptionContext `json:"destinationEncryptionContext,omitempty"`
	DryRun                         bool              `json:"dryRun,omitempty"`
}

// reEncryptData is the additionalEventData of ReEncrypt.
type reEncryptData struct {
	SourceKeyMaterialID      string `json:"sourceKeyMaterialId,omitempty"`
	DestinationKeyMaterialID string `json:"destinationKeyMaterialId,omitempty"`
	SoftwareAssisted         bool   `json:"softwareAssisted,omitempty"` // materialData's, of either key
}

// reEncrypt needs kms:ReEncryptFrom of the source key and kms:ReEncryptTo of the
// destination key; there is no action of its own name. It records the source key, then the destination key, as resources.
func (s *Service) reEncrypt(ctx context.Context, tx *fsm.Txn, c *call.Call, req *reEncryptRequest) (*reEncryptResponse, error) {
	ec := encryptionContext(req.DestinationEncryptionContext)
	c.Record.Parameters = req.recorded()
	if err := ec.check(req.DestinationEncryptionAlgorithm); err != nil {
		return nil, err
	}
	destination, err := s.resolve(tx, c, req.DestinationKeyID)
	if err != nil {
		return nil, err
	}
	from, err := s.reveal(ctx, tx, c, source{
		access: access{
			action: "ReEncryptFrom", context: req.SourceEncryptionContext, tokens: req.GrantTokens,
			algorithm: orDefault(req.SourceEncryptionAlgorithm), sameAs: destination,
		},
		ciphertext: req.CiphertextBlob, keyID: req.SourceKeyID, algorithm: req.SourceEncryptionAlgorithm,
		blind: req.DryRun && slices.Contains(req.DryRunModifiers, ignoreCiphertext),
	})
	defer clear(from.plaintext)
	if err != nil {
		return nil, err
	}
	alg := orDefault(req.DestinationEncryptionAlgorithm)
	wanted := access{action: "ReEncryptTo", context: ec, tokens: req.GrantTokens, algorithm: alg, sameAs: from.keyID()}
	to, err := s.keyFor(tx, c, wanted, req.DestinationKeyID, byAlias)
	if err != nil {
		return nil, err
	}
	if err := sealable(c, to, alg, from.plaintext); err != nil {
		return nil, err
	}
	if req.DryRun {
		return nil, wouldSucceed()
	}
	ciphertext, err := s.seal(ctx, tx, c, to, alg, from.plaintext, ec)
	if err != nil {
		return nil, err
	}
	s.recordMaterials(c, from, to)
	return &reEncryptResponse{
		CiphertextBlob: ciphertext, SourceKeyID: from.arn, KeyID: to.arn,
		SourceEncryptionAlgorithm: from.algorithm, DestinationEncryptionAlgorithm: alg,
		SourceKeyMaterialID: from.materialID, DestinationKeyMaterialID: shownMaterial(to, to.MaterialID),
	}, errors.Join(mark(tx, c, from.key), mark(tx, c, to))
}

// recordMaterials is recordMaterial of both keys. Of an asymmetric destination no
// material is used, only the public key.
func (s *Service) recordMaterials(c *call.Call, from revealed, to key) {
	info := s.cfg.HSM.Info()
	data := reEncryptData{
		SourceKeyMaterialID: from.materialID, DestinationKeyMaterialID: shownMaterial(to, to.MaterialID),
		SoftwareAssisted: info.Assists(from.Spec) || to.Spec == hsm.SymmetricDefault && info.Assists(to.Spec),
	}
	if data != (reEncryptData{}) {
		c.Record.Additional = &data
	}
}

func (q *reEncryptRequest) recorded() *reEncryptParameters {
	return &reEncryptParameters{
		SourceKeyID: q.SourceKeyID, SourceEncryptionAlgorithm: orDefault(q.SourceEncryptionAlgorithm),
		SourceEncryptionContext: q.SourceEncryptionContext, DestinationKeyID: q.DestinationKeyID,
		DestinationEncryptionAlgorithm: orDefault(q.DestinationEncryptionAlgorithm),
		DestinationEncryptionContext:   q.DestinationEncryptionContext, DryRun: q.DryRun,
	}
}
