package algorithm

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"crypto/x509"
	"errors"

	"github.com/cofre-kms/cofre/hsm"
)

type edwardsKey struct{ private ed25519.PrivateKey }

type edwardsPublic struct{ key ed25519.PublicKey }

func generateEdwards(hsm.KeySpec) (material, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return &edwardsKey{key}, err
}

func parseEdwards(_ hsm.KeySpec, raw []byte) (material, error) {
	parsed, err := parseStandard(raw) // RFC 8410 §7
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("not an Ed25519 key")
	}
	return &edwardsKey{key}, nil
}

func parsePublicEdwards(_ hsm.KeySpec, der []byte) (publicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("not an Ed25519 key")
	}
	return edwardsPublic{key}, nil
}

func (k *edwardsKey) marshal() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k.private) }
func (k *edwardsKey) public() ([]byte, error)  { return x509.MarshalPKIXPublicKey(k.private.Public()) }
func (k *edwardsKey) wipe()                    { clear(k.private) }

func (k *edwardsKey) sign(alg hsm.SigningAlgorithm, digest []byte) ([]byte, error) {
	message, options := edwardsInput(alg, digest)
	return k.private.Sign(nil, message, options)
}

func (p edwardsPublic) verify(alg hsm.SigningAlgorithm, digest, signature []byte) bool {
	message, options := edwardsInput(alg, digest)
	return ed25519.VerifyWithOptions(p.key, message, signature, options) == nil
}

// edwardsInput answers what the standard library signs. It wants Ed25519ph's
// PH(M) = SHA-512(M) (RFC 8032 §5.1), and AWS's M is the digest that the client
// sent.
func edwardsInput(alg hsm.SigningAlgorithm, digest []byte) ([]byte, *ed25519.Options) {
	if alg == hsm.ED25519PH {
		ph := sha512.Sum512(digest)
		return ph[:], &ed25519.Options{Hash: crypto.SHA512}
	}
	return digest, &ed25519.Options{}
}
