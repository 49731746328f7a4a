package algorithm

import (
	"fmt"

	"github.com/cofre-kms/cofre/hsm"
)

// family is what key specs of one kind have in common.
type family struct {
	generate func(hsm.KeySpec) (material, error)
	parse    func(hsm.KeySpec, []byte) (material, error)
	public   func(hsm.KeySpec, []byte) (publicKey, error) // nil of secret keys
}

func familyOf(spec hsm.KeySpec) (family, error) {
	switch spec {
	case hsm.SymmetricDefault, hsm.HMAC224, hsm.HMAC256, hsm.HMAC384, hsm.HMAC512:
		return family{generateSecret, parseSecret, nil}, nil
	case hsm.RSA2048, hsm.RSA3072, hsm.RSA4096:
		return family{generateRSA, parseRSA, parsePublicRSA}, nil
	case hsm.ECCNistP256, hsm.ECCNistP384, hsm.ECCNistP521:
		return family{generateNIST, parseNIST, parsePublicNIST}, nil
	case hsm.ECCSecgP256K1:
		return family{generateK1, parseK1, parsePublicK1}, nil
	case hsm.ECCNistEdwards25519:
		return family{generateEdwards, parseEdwards, parsePublicEdwards}, nil
	case hsm.SM2:
		return family{generateSM2, parseSM2, parsePublicSM2}, nil
	case hsm.MLDSA44, hsm.MLDSA65, hsm.MLDSA87:
		return family{generateMLDSA, parseMLDSA, parsePublicMLDSA}, nil
	case hsm.MLKEM512, hsm.MLKEM768, hsm.MLKEM1024:
		return family{generateMLKEM, parseMLKEM, parsePublicMLKEM}, nil
	default:
		return family{}, fmt.Errorf("key spec %q: %w", spec, hsm.ErrUnsupported)
	}
}

// Specs lists the key specs of this package, which are all of package hsm.
func Specs() []hsm.KeySpec {
	return []hsm.KeySpec{
		hsm.SymmetricDefault, hsm.HMAC224, hsm.HMAC256, hsm.HMAC384, hsm.HMAC512,
		hsm.RSA2048, hsm.RSA3072, hsm.RSA4096,
		hsm.ECCNistP256, hsm.ECCNistP384, hsm.ECCNistP521, hsm.ECCSecgP256K1, hsm.ECCNistEdwards25519,
		hsm.SM2, hsm.MLDSA44, hsm.MLDSA65, hsm.MLDSA87, hsm.MLKEM512, hsm.MLKEM768, hsm.MLKEM1024,
	}
}

// SigningAlgorithms lists what keys of a spec sign with, nil where they do not
// sign (AWS KMS developer guide, "Key spec reference").
func SigningAlgorithms(spec hsm.KeySpec) []hsm.SigningAlgorithm {
	switch spec {
	case hsm.RSA2048, hsm.RSA3072, hsm.RSA4096:
		return []hsm.SigningAlgorithm{
			hsm.RSAPKCS1SHA256, hsm.RSAPKCS1SHA384, hsm.RSAPKCS1SHA512,
			hsm.RSAPSSSHA256, hsm.RSAPSSSHA384, hsm.RSAPSSSHA512,
		}
	case hsm.ECCNistP256, hsm.ECCSecgP256K1:
		return []hsm.SigningAlgorithm{hsm.ECDSASHA256}
	case hsm.ECCNistP384:
		return []hsm.SigningAlgorithm{hsm.ECDSASHA384}
	case hsm.ECCNistP521:
		return []hsm.SigningAlgorithm{hsm.ECDSASHA512}
	case hsm.ECCNistEdwards25519:
		return []hsm.SigningAlgorithm{hsm.ED25519SHA512, hsm.ED25519PH}
	case hsm.SM2:
		return []hsm.SigningAlgorithm{hsm.SM2DSA}
	case hsm.MLDSA44, hsm.MLDSA65, hsm.MLDSA87:
		return []hsm.SigningAlgorithm{hsm.MLDSAShake256}
	default:
		return nil
	}
}

// EncryptionAlgorithms lists what is encrypted to public keys of a spec with,
// nil where nothing is.
func EncryptionAlgorithms(spec hsm.KeySpec) []hsm.EncryptionAlgorithm {
	switch spec {
	case hsm.RSA2048, hsm.RSA3072, hsm.RSA4096:
		return []hsm.EncryptionAlgorithm{hsm.RSAOAEPSHA1, hsm.RSAOAEPSHA256}
	case hsm.SM2:
		return []hsm.EncryptionAlgorithm{hsm.SM2PKE}
	default:
		return nil
	}
}

// MACAlgorithmOf is the one algorithm of an HMAC_… key, "" of another key.
func MACAlgorithmOf(spec hsm.KeySpec) hsm.MACAlgorithm {
	switch spec {
	case hsm.HMAC224:
		return hsm.HMACSHA224
	case hsm.HMAC256:
		return hsm.HMACSHA256
	case hsm.HMAC384:
		return hsm.HMACSHA384
	case hsm.HMAC512:
		return hsm.HMACSHA512
	default:
		return ""
	}
}

// Agrees says whether keys of a spec do ECDH. AWS KMS agrees on no key with
// ECC_SECG_P256K1.
func Agrees(spec hsm.KeySpec) bool {
	switch spec {
	case hsm.ECCNistP256, hsm.ECCNistP384, hsm.ECCNistP521, hsm.SM2:
		return true
	default:
		return false
	}
}

// Encapsulates says whether secrets are encapsulated to public keys of a spec.
func Encapsulates(spec hsm.KeySpec) bool {
	return spec == hsm.MLKEM512 || spec == hsm.MLKEM768 || spec == hsm.MLKEM1024
}
