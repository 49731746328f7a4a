package algorithm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/cofre-kms/cofre/hsm"
)

// nistKey is a key on one of the NIST curves.
type nistKey struct {
	spec    hsm.KeySpec
	private *ecdsa.PrivateKey
}

type nistPublic struct{ key *ecdsa.PublicKey }

func curveOf(spec hsm.KeySpec) elliptic.Curve {
	switch spec {
	case hsm.ECCNistP384:
		return elliptic.P384()
	case hsm.ECCNistP521:
		return elliptic.P521()
	default:
		return elliptic.P256()
	}
}

func generateNIST(spec hsm.KeySpec) (material, error) {
	key, err := ecdsa.GenerateKey(curveOf(spec), rand.Reader)
	return &nistKey{spec, key}, err
}

func parseNIST(spec hsm.KeySpec, raw []byte) (material, error) {
	parsed, err := parseStandard(raw)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != curveOf(spec) {
		return nil, errors.New("not a key on this curve")
	}
	return &nistKey{spec, key}, nil
}

func parsePublicNIST(spec hsm.KeySpec, der []byte) (publicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(der) // checks that the point is on the curve
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != curveOf(spec) {
		return nil, errors.New("not a key on this curve")
	}
	return nistPublic{key}, nil
}

func (k *nistKey) marshal() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k.private) }
func (k *nistKey) public() ([]byte, error)  { return x509.MarshalPKIXPublicKey(&k.private.PublicKey) }
func (k *nistKey) wipe()                    { wipeInt(scalar(k.private)) }

func (k *nistKey) sign(_ hsm.SigningAlgorithm, digest []byte) ([]byte, error) {
	return ecdsa.SignASN1(rand.Reader, k.private, digest)
}

func (p nistPublic) verify(_ hsm.SigningAlgorithm, digest, signature []byte) bool {
	return ecdsa.VerifyASN1(p.key, digest, signature)
}

func (k *nistKey) agree(peer []byte) ([]byte, error) {
	p, err := parsePublic(k.spec, peer)
	if err != nil {
		return nil, err
	}
	other, err := p.(nistPublic).key.ECDH()
	if err != nil {
		return nil, fmt.Errorf("a peer's public key: %w: %w", hsm.ErrInvalidKey, err)
	}
	own, err := k.private.ECDH()
	if err != nil {
		return nil, err
	}
	return own.ECDH(other) // the point at infinity cannot come out: the order is prime
}
