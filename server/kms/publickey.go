package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
)

type getPublicKeyResponse struct {
	KeyID                   string `json:"KeyId"`
	PublicKey               []byte
	CustomerMasterKeySpec   hsm.KeySpec
	KeySpec                 hsm.KeySpec
	KeyUsage                string
	EncryptionAlgorithms    []string `json:",omitempty"`
	SigningAlgorithms       []string `json:",omitempty"`
	KeyAgreementAlgorithms  []string `json:",omitempty"`
	EncapsulationAlgorithms []string `json:",omitempty"`
}

func (s *Service) getPublicKey(_ context.Context, tx *fsm.Txn, c *call.Call, req *describeKeyRequest) (*getPublicKeyResponse, error) {
	c.Record.Parameters = &keyParameters{KeyID: req.KeyID}
	k, err := s.keyFor(tx, c, access{action: c.Operation, tokens: req.GrantTokens}, req.KeyID, byAlias)
	if err != nil {
		return nil, err
	}
	if k.Spec == hsm.SymmetricDefault || k.Usage == generateVerifyMac {
		return nil, unsupportedKey()
	}
	material, err := currentMaterial(tx, k)
	if err != nil {
		return nil, err
	}
	m := describe(k)
	return &getPublicKeyResponse{
		KeyID: k.arn, PublicKey: material.Wrapped.Public, CustomerMasterKeySpec: k.Spec, KeySpec: k.Spec, KeyUsage: k.Usage,
		EncryptionAlgorithms: m.EncryptionAlgorithms, SigningAlgorithms: m.SigningAlgorithms,
		KeyAgreementAlgorithms: m.KeyAgreementAlgorithms, EncapsulationAlgorithms: m.EncapsulationAlgorithms,
	}, nil
}
