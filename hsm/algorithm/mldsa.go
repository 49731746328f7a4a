package algorithm

import (
	"crypto/sha3"
	"crypto/subtle"
	"encoding/asn1"
	"errors"
	"fmt"

	"filippo.io/mldsa"
	"filippo.io/mldsa/mldsacrypto"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/wipe"
)

type mldsaKey struct {
	spec    hsm.KeySpec
	private *mldsa.PrivateKey
}

type mldsaPublic struct {
	set parameterSet
	key []byte
}

func mldsaParameters(spec hsm.KeySpec) mldsa.Parameters {
	switch spec {
	case hsm.MLDSA44:
		return mldsa.MLDSA44()
	case hsm.MLDSA65:
		return mldsa.MLDSA65()
	default:
		return mldsa.MLDSA87()
	}
}

// oidMLDSA is id-ml-dsa-44, -65 or -87 (RFC 9881 §2).
func oidMLDSA(spec hsm.KeySpec) asn1.ObjectIdentifier {
	arc := map[hsm.KeySpec]int{hsm.MLDSA44: 17, hsm.MLDSA65: 18, hsm.MLDSA87: 19}[spec]
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, arc}
}

func generateMLDSA(spec hsm.KeySpec) (material, error) {
	key, err := mldsa.GenerateKey(mldsaParameters(spec))
	return &mldsaKey{spec, key}, err
}

func parseMLDSA(spec hsm.KeySpec, raw []byte) (material, error) {
	inner, err := parsePKCS8(raw, oidMLDSA(spec), nil)
	if err != nil {
		return nil, err
	}
	defer clear(inner)
	seed, err := parseSeed(inner, mldsa.PrivateKeySize)
	if err != nil {
		return nil, err
	}
	key, err := mldsa.NewPrivateKey(mldsaParameters(spec), seed)
	if err != nil {
		return nil, err
	}
	return &mldsaKey{spec, key}, nil
}

func parsePublicMLDSA(spec hsm.KeySpec, der []byte) (publicKey, error) {
	key, err := parseSPKI(der, oidMLDSA(spec), nil)
	if err != nil {
		return nil, err
	}
	set := parametersOf(spec)
	if len(key) != set.publicSize() {
		return nil, errors.New("not an ML-DSA key of this length")
	}
	return mldsaPublic{set, key}, nil
}

// marshal answers the seed form (RFC 9881 §6).
func (k *mldsaKey) marshal() ([]byte, error) {
	seed := k.private.Bytes()
	defer clear(seed)
	inner := marshalSeed(seed)
	defer clear(inner)
	return marshalPKCS8(oidMLDSA(k.spec), nil, inner)
}

func (k *mldsaKey) public() ([]byte, error) {
	return marshalSPKI(oidMLDSA(k.spec), nil, k.private.PublicKey().Bytes())
}

func (k *mldsaKey) wipe() { wipe.Value(k.private) }

// sign signs mu, hedged (FIPS 204 §3.4).
func (k *mldsaKey) sign(_ hsm.SigningAlgorithm, mu []byte) ([]byte, error) {
	return k.private.Sign(nil, mu, mldsacrypto.MLDSAMu)
}

func (p mldsaPublic) verify(_ hsm.SigningAlgorithm, mu, signature []byte) bool {
	return verifyMu(p.set, p.key, mu, signature)
}

// Mu is the message representative that ML-DSA signs, of a message without a
// context (FIPS 204 §5.2, §6.2). It is [hsm.ErrInvalidKey] where public is no
// ML-DSA key.
func Mu(public, message []byte) ([]byte, error) {
	for _, spec := range []hsm.KeySpec{hsm.MLDSA44, hsm.MLDSA65, hsm.MLDSA87} {
		if p, err := parsePublicMLDSA(spec, public); err == nil {
			tr := sha3.SumSHAKE256(p.(mldsaPublic).key, 64)
			h := sha3.NewSHAKE256()
			_, _ = h.Write(tr)           // never fails
			_, _ = h.Write([]byte{0, 0}) // pure, and a context of no bytes
			_, _ = h.Write(message)
			mu := make([]byte, MuSize)
			_, _ = h.Read(mu) // never fails
			return mu, nil
		}
	}
	return nil, fmt.Errorf("hashing for ML-DSA: %w", hsm.ErrInvalidKey)
}

// The private keys of ML-DSA and ML-KEM (RFC 9881 §6, RFC 9935 §6) are a choice:
// the seed under [0], the expanded key as an OCTET STRING, or a SEQUENCE of both.
// Only the seed is taken: it is the one form that cannot contradict itself.

const seedTag = 0x80 // [0] IMPLICIT OCTET STRING

func marshalSeed(seed []byte) []byte { // of less than 128 bytes
	return append([]byte{seedTag, byte(len(seed))}, seed...)
}

// parseSeed aliases inner.
func parseSeed(inner []byte, size int) ([]byte, error) {
	if len(inner) != 2+size || subtle.ConstantTimeCompare(inner[:2], []byte{seedTag, byte(size)}) != 1 {
		return nil, errors.New("not the seed form of a private key")
	}
	return inner[2:], nil
}
