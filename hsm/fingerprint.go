package hsm

import (
	"crypto/sha256"
	"slices"
)

// fingerprintLabel separates fingerprints from every other use of a key.
const fingerprintLabel = "cofre material fingerprint 1\x00"

// A [Fingerprint] is SHA-256(label ‖ spec ‖ 0 ‖ evidence). Evidence of a private
// key is its public key (DER SubjectPublicKeyInfo), of a secret key the MAC of
// FingerprintMessage under the key itself with FingerprintMAC: what a token can
// compute of a key that never leaves it, and what tells no more of the key than
// any MAC does.

// NewFingerprint answers the fingerprint of material of a spec from its evidence.
func NewFingerprint(spec KeySpec, evidence []byte) Fingerprint {
	return sha256.Sum256(slices.Concat(FingerprintMessage(spec), evidence))
}

// FingerprintMessage is the message whose MAC is the evidence of a secret key.
func FingerprintMessage(spec KeySpec) []byte { return []byte(fingerprintLabel + string(spec) + "\x00") }

// FingerprintMAC is the HMAC by which a secret key of a spec makes its evidence;
// it is empty for the specs of private keys. Its hash is no longer than the key,
// because tokens refuse shorter keys (SoftHSM does).
func FingerprintMAC(spec KeySpec) MACAlgorithm {
	switch spec {
	case HMAC224:
		return HMACSHA224
	case SymmetricDefault, HMAC256:
		return HMACSHA256
	case HMAC384:
		return HMACSHA384
	case HMAC512:
		return HMACSHA512
	default:
		return ""
	}
}
