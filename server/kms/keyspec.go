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
	case q.XksKeyID != "" && q.origin() != "EXTERNAL_KEY_STORE":
		return invalid("XksKeyId is valid only with an Origin of EXTERNAL_KEY_STORE.")
	}
	if err := checkTags(q.Tags); err != nil {
		return err
	}
	if q.Policy != "" {
		if _, err := parsePolicy(q.Policy); err != nil {
			return err
		}
	}
	if q.CustomKeyStoreID != "" {
		return noKeyStore(q.CustomKeyStoreID)
	}
	switch q.origin() {
	case state.OriginKMS:
		return nil
	case state.OriginExternal:
		if importable(hsm.KeySpec(spec)) {
			return nil
		}
		return unsupported("Key material of the key spec %s cannot be imported.", spec)
	}
	return unsupported("Keys with an Origin of %s are not supported.", q.origin())
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
