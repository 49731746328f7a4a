package kms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type getParametersForImportRequest struct {
	KeyID             string
	WrappingAlgorithm string
	WrappingKeySpec   string
}

func getParametersForImportShape() *shape.Struct[getParametersForImportRequest] {
	type r = getParametersForImportRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Text("WrappingAlgorithm", algorithmSpec(), func(q *r) *string { return &q.WrappingAlgorithm }).Required(),
		shape.Text("WrappingKeySpec", wrappingKeySpec(), func(q *r) *string { return &q.WrappingKeySpec }).Required(),
	)
}

type getParametersForImportParameters struct {
	KeyID             string `json:"keyId"`
	WrappingAlgorithm string `json:"wrappingAlgorithm"`
	WrappingKeySpec   string `json:"wrappingKeySpec"`
}

type getParametersForImportResponse struct {
	KeyID             string `json:"KeyId"`
	ImportToken       []byte
	PublicKey         []byte // DER SubjectPublicKeyInfo
	ParametersValidTo timestamp
}

// importWindow is how long a wrapping key and its token are valid
// (GetParametersForImport, AWS KMS API reference).
const importWindow = 24 * time.Hour

// getParametersForImport makes a wrapping key and seals it into a token. It
// writes nothing: see importToken.
func (s *Service) getParametersForImport(ctx context.Context, tx *fsm.Txn, c *call.Call, req *getParametersForImportRequest) (*getParametersForImportResponse, error) {
	c.Record.Parameters = (*getParametersForImportParameters)(req)
	wanted := access{action: c.Operation, more: conditionValues{
		"kms:wrappingalgorithm": {req.WrappingAlgorithm}, "kms:wrappingkeyspec": {req.WrappingKeySpec},
	}}
	k, err := s.keyFor(tx, c, wanted, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	if err := external(k); err != nil {
		return nil, err
	}
	algorithm, spec := hsm.WrappingAlgorithm(req.WrappingAlgorithm), hsm.KeySpec(req.WrappingKeySpec)
	if err := checkWrapping(k, algorithm, spec); err != nil {
		return nil, err
	}
	wrapping, err := s.cfg.HSM.GenerateKey(ctx, s.cfg.Generation(), spec)
	if errors.Is(err, hsm.ErrUnsupported) {
		return nil, unsupported("No HSM partition makes wrapping keys of the key spec %s.", spec)
	}
	if err != nil {
		return nil, fmt.Errorf("generating a wrapping key: %w", err)
	}
	t := &importToken{Wrapping: wrapping, Algorithm: algorithm, ValidTo: c.Time.Add(importWindow).UnixMilli()}
	sealed, err := s.sealToken(ctx, tx, k, t)
	if err != nil {
		return nil, err
	}
	return &getParametersForImportResponse{
		KeyID: k.arn, ImportToken: sealed, PublicKey: wrapping.Public, ParametersValidTo: timestamp(t.ValidTo),
	}, nil
}

// external refuses a key whose material is not imported.
func external(k key) error {
	if k.Origin == state.OriginExternal {
		return nil
	}
	return originRefused(k)
}

// checkWrapping refuses a wrapping algorithm that does not go with the wrapping
// key, or not with the material ("Select a wrapping algorithm" in the KMS
// developer guide).
func checkWrapping(k key, algorithm hsm.WrappingAlgorithm, spec hsm.KeySpec) error {
	direct := algorithm == hsm.WrapOAEPSHA1 || algorithm == hsm.WrapOAEPSHA256
	switch {
	case algorithm == wrapPKCS1:
		return unsupported("The wrapping algorithm %s is no longer supported.", algorithm)
	case (algorithm == hsm.WrapSM2PKE) != (spec == hsm.SM2):
		return invalid("WrappingAlgorithm %s is not compatible with WrappingKeySpec %s", algorithm, spec)
	case direct && strings.HasPrefix(string(k.Spec), "RSA_"), // longer than any modulus
		direct && spec == hsm.RSA2048 && k.Spec == hsm.ECCNistP521:
		return invalid("Key material of the key spec %s cannot be wrapped with %s by a wrapping key of the key spec %s", k.Spec, algorithm, spec)
	}
	return nil
}

// wrapPKCS1 is in the model's enumeration, and refused since October 10, 2023.
const wrapPKCS1 = "RSAES_PKCS1_V1_5"

// importable says whether material of a key spec can be imported
// ("Requirements for imported key material" in the KMS developer guide).
func importable(spec hsm.KeySpec) bool {
	return !slices.ContainsFunc([]string{"ML_DSA_", "ML_KEM_"}, func(family string) bool {
		return strings.HasPrefix(string(spec), family)
	})
}
