package algorithm

import (
	"crypto/aes"
	"fmt"

	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/kwp"
	"github.com/cofre-kms/cofre/hsm/wipe"
)

// Unwrap opens material that was encrypted to the key's public key (see Material
// of [hsm.Import]). What does not decrypt is [hsm.ErrInvalidCiphertext]; an
// algorithm that does not go with the key's spec is [hsm.ErrUnsupported]. The
// caller wipes what it answers.
func (k *Key) Unwrap(alg hsm.WrappingAlgorithm, wrapped []byte) ([]byte, error) {
	switch alg {
	case hsm.WrapOAEPSHA1:
		return k.Open(hsm.RSAOAEPSHA1, wrapped)
	case hsm.WrapOAEPSHA256:
		return k.Open(hsm.RSAOAEPSHA256, wrapped)
	case hsm.WrapSM2PKE:
		return k.Open(hsm.SM2PKE, wrapped)
	case hsm.WrapAESSHA1:
		return k.unwrapAES(hsm.RSAOAEPSHA1, wrapped)
	case hsm.WrapAESSHA256:
		return k.unwrapAES(hsm.RSAOAEPSHA256, wrapped)
	default:
		return nil, fmt.Errorf("unwrapping by %s: %w", alg, hsm.ErrUnsupported)
	}
}

const aes256 = 32 // bytes

// unwrapAES opens an AES-256 key, as long as the modulus when it is encrypted,
// and with it the material behind (PKCS #11 v2.40 §2.1.21).
func (k *Key) unwrapAES(alg hsm.EncryptionAlgorithm, wrapped []byte) ([]byte, error) {
	size := modulusBits(k.spec) / 8
	if size == 0 {
		return nil, fmt.Errorf("unwrapping with key spec %s: %w", k.spec, hsm.ErrUnsupported)
	}
	if len(wrapped) <= size {
		return nil, hsm.ErrInvalidCiphertext
	}
	kek, err := k.Open(alg, wrapped[:size])
	if err != nil {
		return nil, err
	}
	defer clear(kek)
	return UnwrapAES(kek, wrapped[size:])
}

// UnwrapAES opens material that is under an AES-256 key by AES Key Wrap with
// Padding, as the second half of RSA_AES_KEY_WRAP_… is. What does not open is
// [hsm.ErrInvalidCiphertext]. The caller wipes what it answers.
func UnwrapAES(kek, wrapped []byte) ([]byte, error) {
	if len(kek) != aes256 {
		return nil, hsm.ErrInvalidCiphertext
	}
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, fmt.Errorf("expanding an AES key: %w", err)
	}
	defer wipe.Value(block)
	material, err := kwp.Unwrap(block, wrapped)
	if err != nil {
		return nil, hsm.ErrInvalidCiphertext
	}
	return material, nil
}
