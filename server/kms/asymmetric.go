package kms

import (
	"context"
	"errors"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
)

// openPrivately decrypts what was encrypted to the public key of an asymmetric
// key, by Encrypt or by anybody.
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
