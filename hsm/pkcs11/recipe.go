package pkcs11

import (
	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
)

// Of PKCS #11 v3.0 §2.3, which miekg/pkcs11 does not know.
const (
	keyTypeEdwards    = 0x40   // CKK_EC_EDWARDS
	edwardsKeyPairGen = 0x1055 // CKM_EC_EDWARDS_KEY_PAIR_GEN
	signEdDSA         = 0x1057 // CKM_EDDSA
)

// recipe is how a token makes and keeps the keys of a spec.
type recipe struct {
	keyType   uint   // CKK_…
	generate  uint   // CKM_… that makes a key, or a pair
	size      int    // bytes of a secret, of an RSA modulus, of a coordinate
	parameter []byte // CKA_EC_PARAMS
	mac       uint   // CKM_… of an HMAC key
}

func (r *recipe) secret() bool {
	return r.keyType == p11.CKK_AES || r.keyType == p11.CKK_GENERIC_SECRET
}

// recipeOf answers the recipe of a spec, nil for one that PKCS #11 v3.0 has no
// mechanisms for.
func recipeOf(spec hsm.KeySpec) *recipe {
	switch spec {
	case hsm.SymmetricDefault:
		return &recipe{keyType: p11.CKK_AES, generate: p11.CKM_AES_KEY_GEN, size: secretSize}
	case hsm.HMAC224, hsm.HMAC256, hsm.HMAC384, hsm.HMAC512:
		return recipeOfMAC(algorithm.MACAlgorithmOf(spec))
	case hsm.RSA2048:
		return recipeOfRSA(2048)
	case hsm.RSA3072:
		return recipeOfRSA(3072)
	case hsm.RSA4096:
		return recipeOfRSA(4096)
	case hsm.ECCNistP256:
		return recipeOfCurve(32, p256)
	case hsm.ECCNistP384:
		return recipeOfCurve(48, []byte{0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22}) // RFC 5480 §2.1.1.1
	case hsm.ECCNistP521:
		return recipeOfCurve(66, []byte{0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23})
	case hsm.ECCSecgP256K1:
		return recipeOfCurve(32, k1)
	case hsm.ECCNistEdwards25519: // RFC 8410 §3
		return &recipe{keyType: keyTypeEdwards, generate: edwardsKeyPairGen, size: 32, parameter: []byte{0x06, 0x03, 0x2B, 0x65, 0x70}}
	default:
		return nil
	}
}

// k1 is CKA_EC_PARAMS of the curve (SEC 2 §A.2.1).
var k1 = []byte{0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x0A}

func recipeOfRSA(bits int) *recipe {
	return &recipe{keyType: p11.CKK_RSA, generate: p11.CKM_RSA_PKCS_KEY_PAIR_GEN, size: bits / 8}
}

func recipeOfCurve(size int, oid []byte) *recipe {
	return &recipe{keyType: p11.CKK_EC, generate: p11.CKM_EC_KEY_PAIR_GEN, size: size, parameter: oid}
}

// recipeOfMAC: an HMAC key is as long as its hash, as AWS's are.
func recipeOfMAC(alg hsm.MACAlgorithm) *recipe {
	r := &recipe{keyType: p11.CKK_GENERIC_SECRET, generate: p11.CKM_GENERIC_SECRET_KEY_GEN}
	switch alg {
	case hsm.HMACSHA224:
		r.size, r.mac = 28, p11.CKM_SHA224_HMAC
	case hsm.HMACSHA256:
		r.size, r.mac = 32, p11.CKM_SHA256_HMAC
	case hsm.HMACSHA384:
		r.size, r.mac = 48, p11.CKM_SHA384_HMAC
	default:
		r.size, r.mac = 64, p11.CKM_SHA512_HMAC
	}
	return r
}

// maskOf is MGF1 with a hash.
func maskOf(hash uint) uint {
	switch hash {
	case p11.CKM_SHA_1:
		return p11.CKG_MGF1_SHA1
	case p11.CKM_SHA256:
		return p11.CKG_MGF1_SHA256
	case p11.CKM_SHA384:
		return p11.CKG_MGF1_SHA384
	default:
		return p11.CKG_MGF1_SHA512
	}
}

// sizeOf is the length of a hash in bytes.
func sizeOf(hash uint) int {
	switch hash {
	case p11.CKM_SHA_1:
		return 20
	case p11.CKM_SHA256:
		return 32
	case p11.CKM_SHA384:
		return 48
	default:
		return 64
	}
}
