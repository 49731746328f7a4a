package kms

import (
	"slices"
	"strings"

	"github.com/cofre-kms/cofre/hsm"
)

// grantOperations are all operations that a grant can allow, in the order of the
// API model.
func grantOperations() []string {
	return []string{
		"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo", "Sign",
		"Verify", "GetPublicKey", createGrant, retireGrant, describeKey, "GenerateDataKeyPair",
		"GenerateDataKeyPairWithoutPlaintext", "GenerateMac", "VerifyMac", "DeriveSharedSecret", "Encapsulate", "Decapsulate",
	}
}

// Grant operations that the rules treat apart.
const (
	createGrant = "CreateGrant"
	retireGrant = "RetireGrant"
	describeKey = "DescribeKey"
)

// grantable are the operations that a grant of a key can allow: those that work
// with it ("Grant operations" in the KMS developer guide).
func grantable(k key) []string {
	list := []string{createGrant, retireGrant, describeKey}
	if k.Spec != hsm.SymmetricDefault && !strings.HasPrefix(string(k.Spec), "HMAC_") {
		list = append(list, "GetPublicKey")
	}
	switch k.Usage {
	case encryptDecrypt:
		list = append(list, "Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo")
		if k.Spec == hsm.SymmetricDefault {
			list = append(list, "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair",
				"GenerateDataKeyPairWithoutPlaintext")
		}
	case signVerify:
		list = append(list, "Sign", "Verify")
	case generateVerifyMac:
		list = append(list, "GenerateMac", "VerifyMac")
	case keyAgreement:
		list = append(list, "DeriveSharedSecret")
	case encapsulateDecapsulate:
		list = append(list, "Encapsulate", "Decapsulate")
	}
	return list
}

// checkGrantable refuses a grant that does not fit its key.
func checkGrantable(k key, operations []string, constrained bool) error {
	able := grantable(k)
	for _, operation := range operations {
		if !slices.Contains(able, operation) {
			return invalid("The operation %s is not valid for a grant of %s: its key spec is %s and its key usage is %s.",
				operation, k.arn, k.Spec, k.Usage)
		}
	}
	if constrained && k.Spec != hsm.SymmetricDefault {
		return invalid("Encryption context constraints are valid only for grants of symmetric encryption keys; the key spec "+
			"of %s is %s.", k.arn, k.Spec)
	}
	return nil
}
