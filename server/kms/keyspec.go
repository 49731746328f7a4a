package kms

import (
	"slices"
	"strings"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/state"
)

// spec is the key spec asked for, by its new or its old name.
func (q *createKeyRequest) spec() string {
	switch {
	case q.KeySpec != "":
		return q.KeySpec
	case q.CustomerMasterKeySpec != "":
		return q.CustomerMasterKeySpec
	}
	return symmetricDefault
}

// usage is the key usage asked for; it has a default with symmetric encryption
// keys only.
func (q *createKeyRequest) usage() string {
	if q.KeyUsage == "" && q.spec() == symmetricDefault {
		return encryptDecrypt
	}
	return q.KeyUsage
}

func (q *createKeyRequest) origin() string {
	if q.Origin == "" {
		return state.OriginKMS
	}
	return q.Origin
}

// check refuses what is wrong with a request in itself, then what is right but
// cannot be had here.
func (q *createKeyRequest) check(spec, usage string) error {
	switch {
	case q.KeySpec != "" && q.CustomerMasterKeySpec != "":
		return invalid("You cannot specify KeySpec and CustomerMasterKeySpec in the same request. " +
			"CustomerMasterKeySpec is deprecated.")
	case usage == "":
		return invalid("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
	case !slices.Contains(usages(spec), usage):
		return invalid("KeyUsage %s is not compatible with KeySpec %s", usage, spec)
	case q.XksKeyID != "" && q.origin() != state.ExternalKeyStore:
		return invalid("XksKeyId is valid only with an Origin of EXTERNAL_KEY_STORE.")
	case q.XksKeyID == "" && q.origin() == state.ExternalKeyStore:
		return invalid("You must specify XksKeyId when Origin is EXTERNAL_KEY_STORE.")
	case q.CustomKeyStoreID == "" && q.elsewhere():
		return invalid("You must specify CustomKeyStoreId when Origin is %s.", q.origin())
	case q.CustomKeyStoreID != "" && !q.elsewhere():
		return invalid("CustomKeyStoreId is valid only with an Origin of AWS_CLOUDHSM or EXTERNAL_KEY_STORE.")
	}
	if err := checkTags(q.Tags); err != nil {
		return err
	}
	if q.Policy != "" {
		if _, err := parsePolicy(q.Policy); err != nil {
			return err
		}
	}
	switch {
	case q.origin() == state.OriginExternal && !importable(hsm.KeySpec(spec)):
		return unsupported("Key material of the key spec %s cannot be imported.", spec)
	case q.elsewhere() && spec != symmetricDefault:
		return unsupported("Keys of the key spec %s cannot be created in a custom key store.", spec)
	case q.elsewhere() && q.MultiRegion:
		return unsupported("Multi-Region keys cannot be created in a custom key store.")
	}
	return nil
}

// elsewhere says whether the key is to be in a custom key store.
func (q *createKeyRequest) elsewhere() bool {
	return q.origin() == state.CloudHSM || q.origin() == state.ExternalKeyStore
}

// usages are what keys of a spec can be for ("Key spec reference" in the KMS
// developer guide).
func usages(spec string) []string {
	switch {
	case spec == symmetricDefault:
		return []string{encryptDecrypt}
	case strings.HasPrefix(spec, "RSA_"):
		return []string{encryptDecrypt, signVerify}
	case strings.HasPrefix(spec, "ECC_NIST_P"):
		return []string{signVerify, keyAgreement}
	case strings.HasPrefix(spec, "HMAC_"):
		return []string{generateVerifyMac}
	case strings.HasPrefix(spec, "ML_KEM_"):
		return []string{encapsulateDecapsulate}
	case spec == "SM2":
		return []string{encryptDecrypt, signVerify, keyAgreement}
	}
	return []string{signVerify} // ECC_SECG_P256K1, ECC_NIST_EDWARDS25519, ML_DSA_…
}
