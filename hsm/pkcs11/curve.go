package pkcs11

import (
	"crypto/elliptic"
	"fmt"
	"math/big"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/cofre-kms/cofre/hsm"
)

// curveOf answers a curve of the standard library; secp256k1 is none of them.
func curveOf(spec hsm.KeySpec) elliptic.Curve {
	switch spec {
	case hsm.ECCNistP256:
		return elliptic.P256()
	case hsm.ECCNistP384:
		return elliptic.P384()
	default:
		return elliptic.P521()
	}
}

// generator is the uncompressed base point of a curve.
func (r *recipe) generator(spec hsm.KeySpec) []byte {
	if spec == hsm.ECCSecgP256K1 {
		var one secp256k1.ModNScalar
		return secp256k1.NewPrivateKey(one.SetInt(1)).PubKey().SerializeUncompressed()
	}
	c := curveOf(spec).Params()
	return r.uncompressed(c.Gx, c.Gy)
}

// decompress answers the uncompressed form of a compressed point (SEC 1 §2.3.4).
func (r *recipe) decompress(spec hsm.KeySpec, point []byte) ([]byte, error) {
	if spec == hsm.ECCSecgP256K1 {
		key, err := secp256k1.ParsePubKey(point)
		if err != nil {
			return nil, fmt.Errorf("the token agreed on no point of the curve: %w: %w", hsm.ErrInvalidKey, err)
		}
		return key.SerializeUncompressed(), nil
	}
	x, y := elliptic.UnmarshalCompressed(curveOf(spec), point)
	if x == nil {
		return nil, fmt.Errorf("the token agreed on no point of the curve: %w", hsm.ErrInvalidKey)
	}
	return r.uncompressed(x, y), nil
}

func (r *recipe) uncompressed(x, y *big.Int) []byte {
	out := make([]byte, 1+2*r.size)
	out[0] = 4
	x.FillBytes(out[1 : 1+r.size])
	y.FillBytes(out[1+r.size:])
	return out
}
