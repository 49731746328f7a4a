package kms

import (
	"context"
	"slices"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// The groups of cryptographic operations that share a request-rate quota, by the
// key spec ("Request quotas" in the KMS developer guide). Every other operation
// has a quota of its own name, which the front end charges.
const (
	symmetricGroup = "symmetric" // also HMAC keys and GenerateRandom
	rsaGroup       = "rsa"
	eccGroup       = "ecc"
	sm2Group       = "sm2"
	mlDSAGroup     = "ml_dsa"
	mlKEMGroup     = "ml_kem"
)

// cryptographic says whether an operation is one of those.
func cryptographic(operation string) bool {
	return slices.Contains([]string{
		"Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair",
		"GenerateDataKeyPairWithoutPlaintext", "GenerateRandom", "GenerateMac", "VerifyMac", "Sign", "Verify",
		"DeriveSharedSecret", "Encapsulate", "Decapsulate",
	}, operation)
}

// quotaGroup is the group of the operations with a key.
func quotaGroup(k key) string {
	spec := string(k.Spec)
	switch {
	case strings.HasPrefix(spec, "RSA_"):
		return rsaGroup
	case strings.HasPrefix(spec, "ECC_"):
		return eccGroup
	case strings.HasPrefix(spec, "ML_DSA_"):
		return mlDSAGroup
	case strings.HasPrefix(spec, "ML_KEM_"):
		return mlKEMGroup
	case spec == "SM2":
		return sm2Group
	}
	return symmetricGroup
}

// keyPairGroup is the quota that data key pairs of a spec have beside that of the
// key.
func keyPairGroup(spec string) string { return "GenerateDataKeyPair_" + spec }

// charged is used, and charges a call that is about to work with a key, before the
// partition does. ReEncrypt is charged for both of its keys where their quotas differ.
func charged(tx *fsm.Txn, c *call.Call, found *state.Key) (key, error) {
	k, err := used(tx, c, found)
	if err != nil || !cryptographic(c.Operation) {
		return k, err
	}
	return k, c.Charge(quotaGroup(k))
}

// metered makes cryptographic operations be charged, too, that end before it is
// known which key they are about: their refusals are committed like others.
func metered(operations []call.Operation) []call.Operation {
	for i := range operations {
		op := &operations[i]
		if !cryptographic(op.Name) {
			continue
		}
		run := op.Run
		op.Run = func(ctx context.Context, tx *fsm.Txn, c *call.Call, request any) (any, error) {
			response, err := run(ctx, tx, c, request)
			if !c.Charged {
				if err := c.Charge(symmetricGroup); err != nil {
					return nil, err
				}
			}
			return response, err
		}
	}
	return operations
}
