package algorithm

import (
	"encoding/asn1"
	"errors"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/cofre-kms/cofre/hsm"
)

// k1Key is a key on secp256k1.
type k1Key struct{ private *secp256k1.PrivateKey }

type k1Public struct{ key *secp256k1.PublicKey }

// oidK1 is secp256k1 (SEC 2 §2.4.1, §A.2.1).
func oidK1() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 132, 0, 10} }

func generateK1(hsm.KeySpec) (material, error) {
	key, err := secp256k1.GeneratePrivateKey()
	return &k1Key{key}, err
}

func parseK1(_ hsm.KeySpec, raw []byte) (material, error) {
	d, err := parseEC(raw, oidK1())
	if err != nil {
		return nil, err
	}
	defer clear(d)
	var s secp256k1.ModNScalar
	if overflow := s.SetByteSlice(d); overflow || s.IsZero() {
		return nil, errors.New("the private number is not on the curve")
	}
	return &k1Key{secp256k1.NewPrivateKey(&s)}, nil
}

func parsePublicK1(_ hsm.KeySpec, der []byte) (publicKey, error) {
	point, err := parseSPKI(der, oidEC(), oidK1())
	if err != nil {
		return nil, err
	}
	key, err := secp256k1.ParsePubKey(point) // on the curve, compressed or not
	if err != nil {
		return nil, err
	}
	return k1Public{key}, nil
}

func (k *k1Key) marshal() ([]byte, error) {
	d := k.private.Serialize()
	defer clear(d)
	return marshalEC(oidK1(), d, k.private.PubKey().SerializeUncompressed())
}

func (k *k1Key) public() ([]byte, error) {
	return marshalSPKI(oidEC(), oidK1(), k.private.PubKey().SerializeUncompressed())
}

func (k *k1Key) wipe() { k.private.Zero() }

// sign is deterministic (RFC 6979) and answers the lower of the two s.
func (k *k1Key) sign(_ hsm.SigningAlgorithm, digest []byte) ([]byte, error) {
	return ecdsa.Sign(k.private, digest).Serialize(), nil
}

func (p k1Public) verify(_ hsm.SigningAlgorithm, digest, signature []byte) bool {
	s, err := ecdsa.ParseDERSignature(signature)
	return err == nil && s.Verify(digest, p.key)
}
