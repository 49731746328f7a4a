package algorithm

import (
	"crypto"
	_ "crypto/sha256" // for crypto.Hash.New
	_ "crypto/sha512" // for crypto.Hash.New
	"fmt"
	"slices"

	"github.com/cofre-kms/cofre/hsm"
)

const (
	sm3Size = 32 // bytes; GB/T 32905
	// MuSize is the length in bytes of ML-DSA's message representative.
	MuSize = 64 // FIPS 204 §6.2
)

// Signs says whether keys of a spec sign by an algorithm.
func Signs(spec hsm.KeySpec, alg hsm.SigningAlgorithm) bool {
	return slices.Contains(SigningAlgorithms(spec), alg)
}

// DigestSize is the length in bytes of what Sign takes: of the digest, or of mu.
// It is 0 for ED25519_SHA_512, which takes the message.
func DigestSize(alg hsm.SigningAlgorithm) int {
	switch alg {
	case hsm.SM2DSA:
		return sm3Size
	case hsm.MLDSAShake256:
		return MuSize
	default:
		if h := signatureHash(alg); h != 0 {
			return h.Size()
		}
		return 0
	}
}

// fits says whether a digest has the length that Sign takes.
func fits(alg hsm.SigningAlgorithm, digest []byte) bool {
	n := DigestSize(alg)
	return n == 0 || len(digest) == n
}

// signatureHash is the SHA-2 of a signing algorithm's digest, 0 where it has
// none.
func signatureHash(alg hsm.SigningAlgorithm) crypto.Hash {
	switch alg {
	case hsm.RSAPKCS1SHA256, hsm.RSAPSSSHA256, hsm.ECDSASHA256:
		return crypto.SHA256
	case hsm.RSAPKCS1SHA384, hsm.RSAPSSSHA384, hsm.ECDSASHA384:
		return crypto.SHA384
	case hsm.RSAPKCS1SHA512, hsm.RSAPSSSHA512, hsm.ECDSASHA512, hsm.ED25519PH:
		return crypto.SHA512
	default:
		return 0
	}
}

// Digest makes of a message what Sign and Verify take: its digest, with the
// public key's own part for SM2 and ML-DSA, and the message itself for
// ED25519_SHA_512. Errors are as of [Verify].
func Digest(public []byte, spec hsm.KeySpec, alg hsm.SigningAlgorithm, message []byte) ([]byte, error) {
	if !Signs(spec, alg) {
		return nil, fmt.Errorf("hashing for %s with key spec %s: %w", alg, spec, hsm.ErrUnsupported)
	}
	switch alg {
	case hsm.ED25519SHA512:
		return message, nil
	case hsm.SM2DSA:
		return SM2Digest(public, message)
	case hsm.MLDSAShake256:
		return Mu(public, message)
	default:
		h := signatureHash(alg).New()
		h.Write(message)
		return h.Sum(nil), nil
	}
}
