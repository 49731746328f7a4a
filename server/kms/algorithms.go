package kms

import (
	"slices"
	"strings"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
)

// algorithms are what a key of a spec and usage can do, in the order in which
// AWS lists them ("Key spec reference" in the KMS developer guide). A key has one
// usage, so it has one list.
func algorithms(spec hsm.KeySpec, usage string) []string {
	switch usage {
	case encryptDecrypt:
		return encryptionAlgorithms(spec)
	case signVerify:
		return signingAlgorithms(spec)
	case generateVerifyMac:
		return []string{strings.Replace(string(spec), "HMAC_", "HMAC_SHA_", 1)}
	case keyAgreement:
		return []string{ecdh}
	case encapsulateDecapsulate:
		return []string{mlKEM}
	}
	return nil
}

func encryptionAlgorithms(spec hsm.KeySpec) []string {
	switch spec {
	case hsm.SymmetricDefault:
		return []string{symmetricDefault}
	case hsm.SM2:
		return []string{string(hsm.SM2PKE)}
	}
	return []string{string(hsm.RSAOAEPSHA1), string(hsm.RSAOAEPSHA256)}
}

func signingAlgorithms(spec hsm.KeySpec) []string {
	switch spec {
	case hsm.ECCNistP256, hsm.ECCSecgP256K1:
		return []string{string(hsm.ECDSASHA256)}
	case hsm.ECCNistP384:
		return []string{string(hsm.ECDSASHA384)}
	case hsm.ECCNistP521:
		return []string{string(hsm.ECDSASHA512)}
	case hsm.ECCNistEdwards25519:
		return []string{string(hsm.ED25519SHA512), string(hsm.ED25519PH)}
	case hsm.SM2:
		return []string{string(hsm.SM2DSA)}
	case hsm.MLDSA44, hsm.MLDSA65, hsm.MLDSA87:
		return []string{string(hsm.MLDSAShake256)}
	}
	return []string{
		string(hsm.RSAPKCS1SHA256), string(hsm.RSAPKCS1SHA384), string(hsm.RSAPKCS1SHA512),
		string(hsm.RSAPSSSHA256), string(hsm.RSAPSSSHA384), string(hsm.RSAPSSSHA512),
	}
}

// suits refuses a key that is for something else than the operation, and an
// algorithm that is not the key's.
func suits(c *call.Call, k key, usage, algorithm string) error {
	if k.Usage != usage {
		return call.Errorf("InvalidKeyUsageException", "%s key usage is %s which is not valid for %s.", k.arn, k.Usage, c.Operation)
	}
	if k.Spec == hsm.SymmetricDefault && algorithm == symmetricDefault { // the most frequent case needs no list
		return nil
	}
	if !slices.Contains(algorithms(k.Spec, k.Usage), algorithm) {
		return call.Errorf("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec %s.", algorithm, k.Spec)
	}
	return nil
}

// orDefault answers the encryption algorithm that a request means.
func orDefault(algorithm string) string {
	if algorithm == "" {
		return symmetricDefault
	}
	return algorithm
}
