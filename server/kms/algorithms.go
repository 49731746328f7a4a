package kms

import (
	"slices"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/server/call"
)

// algorithms are what a key of a spec and usage can do, in the order in which
// AWS lists them. A key has one usage, so it has one list.
func algorithms(spec hsm.KeySpec, usage string) []string {
	switch usage {
	case encryptDecrypt:
		if spec == hsm.SymmetricDefault {
			return []string{symmetricDefault}
		}
		return texts(algorithm.EncryptionAlgorithms(spec))
	case signVerify:
		return texts(algorithm.SigningAlgorithms(spec))
	case generateVerifyMac:
		return []string{string(algorithm.MACAlgorithmOf(spec))}
	case keyAgreement:
		return []string{ecdh}
	case encapsulateDecapsulate:
		return []string{mlKEM}
	}
	return nil
}

func texts[T ~string](names []T) (list []string) {
	for _, name := range names {
		list = append(list, string(name))
	}
	return list
}

// suits refuses a key that is for something else than the operation, and an
// algorithm that is not the key's.
func suits(c *call.Call, k key, usage, alg string) error {
	if k.Usage != usage {
		return call.Errorf("InvalidKeyUsageException", "%s key usage is %s which is not valid for %s.", k.arn, k.Usage, c.Operation)
	}
	if k.Spec == hsm.SymmetricDefault && alg == symmetricDefault { // the most frequent case needs no list
		return nil
	}
	if !slices.Contains(algorithms(k.Spec, k.Usage), alg) {
		return call.Errorf("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec %s.", alg, k.Spec)
	}
	return nil
}

// orDefault answers the encryption algorithm that a request means.
func orDefault(alg string) string {
	if alg == "" {
		return symmetricDefault
	}
	return alg
}
