package algorithm

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/asn1"
	"fmt"

	"github.com/emmansun/gmsm/sm2"

	"github.com/cofre-kms/cofre/hsm"
)

// sm2Key is a key on SM2's curve (GB/T 32918.5).
type sm2Key struct {
	private *sm2.PrivateKey
	point   []byte // uncompressed
}

type sm2Public struct {
	key   *ecdsa.PublicKey
	point []byte // uncompressed
}

// maxSM2Plaintext is AWS's limit (AWS KMS API reference, Encrypt); the algorithm
// has none.
const maxSM2Plaintext = 1024

// oidSM2 is sm2p256v1 (GM/T 0006).
func oidSM2() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301} }

func generateSM2(hsm.KeySpec) (material, error) {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return newSM2(key)
}

func newSM2(key *sm2.PrivateKey) (*sm2Key, error) {
	public, err := sm2.PublicKeyToECDH(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	return &sm2Key{key, public.Bytes()}, nil
}

func parseSM2(_ hsm.KeySpec, raw []byte) (material, error) {
	d, err := parseEC(raw, oidSM2())
	if err != nil {
		return nil, err
	}
	defer clear(d)
	key, err := sm2.NewPrivateKey(d)
	if err != nil {
		return nil, err
	}
	return newSM2(key)
}

func parsePublicSM2(_ hsm.KeySpec, der []byte) (publicKey, error) {
	point, err := parseSPKI(der, oidEC(), oidSM2())
	if err != nil {
		return nil, err
	}
	key, err := sm2.NewPublicKey(point) // on the curve, uncompressed
	if err != nil {
		return nil, err
	}
	return sm2Public{key, point}, nil
}

func (k *sm2Key) marshal() ([]byte, error) {
	d := k.scalar()
	defer clear(d)
	return marshalEC(oidSM2(), d, k.point)
}

func (k *sm2Key) public() ([]byte, error) {
	return marshalSPKI(oidEC(), oidSM2(), k.point)
}

// scalar answers the private number, for the caller to wipe.
func (k *sm2Key) scalar() []byte {
	return scalar(&k.private.PrivateKey).FillBytes(make([]byte, scalarSize))
}

func (k *sm2Key) wipe() { wipeInt(scalar(&k.private.PrivateKey)) }

func (k *sm2Key) sign(_ hsm.SigningAlgorithm, digest []byte) ([]byte, error) {
	return sm2.SignASN1(rand.Reader, k.private, digest, nil)
}

func (p sm2Public) verify(_ hsm.SigningAlgorithm, digest, signature []byte) bool {
	return sm2.VerifyASN1(p.key, digest, signature)
}

// SM2Digest is what SM2DSA signs: the SM3 of Z and the message (GB/T 32918.2
// §5.5), with the distinguishing id that GM/T 0009 §10 gives keys without one,
// 1234567812345678. It is [hsm.ErrInvalidKey] where public is no SM2 key.
func SM2Digest(public, message []byte) ([]byte, error) {
	p, err := parsePublic(hsm.SM2, public)
	if err != nil {
		return nil, err
	}
	digest, err := sm2.CalculateSM2Hash(p.(sm2Public).key, message, nil)
	if err != nil {
		return nil, fmt.Errorf("hashing for SM2DSA: %w", err)
	}
	return digest, nil
}

func (k *sm2Key) agree(peer []byte) ([]byte, error) {
	p, err := parsePublic(hsm.SM2, peer)
	if err != nil {
		return nil, err
	}
	other, err := sm2.PublicKeyToECDH(p.(sm2Public).key)
	if err != nil {
		return nil, fmt.Errorf("a peer's public key: %w: %w", hsm.ErrInvalidKey, err)
	}
	own, err := k.private.ECDH()
	if err != nil {
		return nil, err
	}
	return own.ECDH(other) // the point at infinity cannot come out: the order is prime
}
