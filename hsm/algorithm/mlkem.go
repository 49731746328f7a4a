package algorithm

import (
	"bytes"
	"crypto/mlkem"
	"crypto/rand"
	"encoding/asn1"

	"github.com/cloudflare/circl/kem/mlkem/mlkem512"

	"github.com/cofre-kms/cofre/hsm"
)

// mlkemKey is an ML-KEM key as its seed d ‖ z, expanded for each use: that costs
// less than what follows, and expanded keys cannot be wiped. The standard library
// has the larger two parameter sets.
type mlkemKey struct {
	spec hsm.KeySpec
	seed []byte
}

// decapsulationKey is a key of one parameter set.
type decapsulationKey interface {
	// Decapsulate answers the shared secret, or an error for a ciphertext of
	// another length.
	Decapsulate(ciphertext []byte) ([]byte, error)
	encoded() []byte // the encapsulation key
}

type mlkemPublic struct {
	encapsulateTo func() (secret, ciphertext []byte)
}

// oidMLKEM is id-alg-ml-kem-512, -768 or -1024 (RFC 9935 §3).
func oidMLKEM(spec hsm.KeySpec) asn1.ObjectIdentifier {
	arc := map[hsm.KeySpec]int{hsm.MLKEM512: 1, hsm.MLKEM768: 2, hsm.MLKEM1024: 3}[spec]
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 4, arc}
}

func generateMLKEM(spec hsm.KeySpec) (material, error) {
	seed := make([]byte, mlkem.SeedSize)
	_, _ = rand.Read(seed) // never fails
	return &mlkemKey{spec, seed}, nil
}

func parseMLKEM(spec hsm.KeySpec, raw []byte) (material, error) {
	inner, err := parsePKCS8(raw, oidMLKEM(spec), nil)
	if err != nil {
		return nil, err
	}
	defer clear(inner)
	seed, err := parseSeed(inner, mlkem.SeedSize)
	if err != nil {
		return nil, err
	}
	return &mlkemKey{spec, bytes.Clone(seed)}, nil
}

func (k *mlkemKey) expand() (decapsulationKey, error) {
	switch k.spec {
	case hsm.MLKEM512:
		public, key := mlkem512.NewKeyFromSeed(k.seed)
		return &kem512{key, public}, nil
	case hsm.MLKEM768:
		key, err := mlkem.NewDecapsulationKey768(k.seed)
		return kem768{key}, err
	default:
		key, err := mlkem.NewDecapsulationKey1024(k.seed)
		return kem1024{key}, err
	}
}

type kem768 struct{ *mlkem.DecapsulationKey768 }

func (k kem768) encoded() []byte { return k.EncapsulationKey().Bytes() }

type kem1024 struct{ *mlkem.DecapsulationKey1024 }

func (k kem1024) encoded() []byte { return k.EncapsulationKey().Bytes() }

type kem512 struct {
	private *mlkem512.PrivateKey
	public  *mlkem512.PublicKey
}

func (k *kem512) Decapsulate(ciphertext []byte) ([]byte, error) {
	if len(ciphertext) != mlkem512.CiphertextSize {
		return nil, errEncoding
	}
	secret := make([]byte, mlkem512.SharedKeySize)
	k.private.DecapsulateTo(secret, ciphertext)
	return secret, nil
}

func (k *kem512) encoded() []byte {
	out := make([]byte, mlkem512.PublicKeySize)
	k.public.Pack(out)
	return out
}

// marshal answers the seed form (RFC 9935 §6).
func (k *mlkemKey) marshal() ([]byte, error) {
	inner := marshalSeed(k.seed)
	defer clear(inner)
	return marshalPKCS8(oidMLKEM(k.spec), nil, inner)
}

func (k *mlkemKey) public() ([]byte, error) {
	key, err := k.expand()
	if err != nil {
		return nil, err
	}
	return marshalSPKI(oidMLKEM(k.spec), nil, key.encoded())
}

func (k *mlkemKey) wipe() { clear(k.seed) }

func (k *mlkemKey) decapsulate(ciphertext []byte) ([]byte, error) {
	key, err := k.expand()
	if err != nil {
		return nil, err
	}
	secret, err := key.Decapsulate(ciphertext)
	if err != nil { // another length: the rest is rejected implicitly
		return nil, hsm.ErrInvalidCiphertext
	}
	return secret, nil
}

func parsePublicMLKEM(spec hsm.KeySpec, der []byte) (publicKey, error) {
	raw, err := parseSPKI(der, oidMLKEM(spec), nil)
	if err != nil {
		return nil, err
	}
	switch spec {
	case hsm.MLKEM512:
		return newPublic512(raw)
	case hsm.MLKEM768:
		key, err := mlkem.NewEncapsulationKey768(raw) // FIPS 203 §7.2
		if err != nil {
			return nil, err
		}
		return mlkemPublic{key.Encapsulate}, nil
	default:
		key, err := mlkem.NewEncapsulationKey1024(raw)
		if err != nil {
			return nil, err
		}
		return mlkemPublic{key.Encapsulate}, nil
	}
}

func newPublic512(raw []byte) (publicKey, error) {
	if len(raw) != mlkem512.PublicKeySize { // Unpack would panic
		return nil, errEncoding
	}
	var key mlkem512.PublicKey
	if err := key.Unpack(raw); err != nil {
		return nil, err
	}
	return mlkemPublic{func() (secret, ciphertext []byte) {
		secret, ciphertext = make([]byte, mlkem512.SharedKeySize), make([]byte, mlkem512.CiphertextSize)
		key.EncapsulateTo(ciphertext, secret, nil)
		return secret, ciphertext
	}}, nil
}

func (p mlkemPublic) encapsulate() (secret, ciphertext []byte, err error) {
	secret, ciphertext = p.encapsulateTo()
	return secret, ciphertext, nil
}
