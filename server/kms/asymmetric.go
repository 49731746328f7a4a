package kms

import (
	"context"
	"errors"
	"fmt"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/hsm/algorithm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// sealable refuses a key that does not encrypt by an algorithm, and a plaintext
// that is too large for it. The largest for a symmetric key is the model's.
func sealable(c *call.Call, k key, alg string, plaintext []byte) error {
	if err := suits(c, k, encryptDecrypt, alg); err != nil || alg == symmetricDefault {
		return err
	}
	if most := algorithm.MaxPlaintext(k.Spec, hsm.EncryptionAlgorithm(alg)); len(plaintext) > most {
		return invalid("Algorithm %s and key spec %s cannot encrypt data larger than %d bytes.", alg, k.Spec, most)
	}
	return nil
}

// sealPublicly encrypts to a public key, outside of the partition. The ciphertext
// is only what the algorithm makes: it names no key and can be opened by any
// implementation of the algorithm.
func sealPublicly(k key, material *state.KeyMaterial, alg string, plaintext []byte) ([]byte, error) {
	ciphertext, err := algorithm.Encrypt(material.Wrapped.Public, k.Spec, hsm.EncryptionAlgorithm(alg), plaintext)
	if err != nil {
		return nil, fmt.Errorf("encrypting to a public key: %w", err)
	}
	return ciphertext, nil
}

// openPrivately decrypts what sealPublicly, or anybody with the public key, made.
func (s *Service) openPrivately(ctx context.Context, tx *fsm.Txn, k key, alg string, ciphertext []byte) ([]byte, error) {
	material, err := currentMaterial(tx, k)
	if err != nil {
		return nil, err
	}
	plaintext, err := s.cfg.HSM.Open(ctx, material.Wrapped, hsm.EncryptionAlgorithm(alg), ciphertext)
	if errors.Is(err, hsm.ErrInvalidCiphertext) {
		return nil, invalidCiphertext()
	}
	if err != nil {
		return nil, partitionFault("decrypting", err)
	}
	return plaintext, nil
}
