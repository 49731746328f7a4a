package kms

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// sealInStore is seal with a key in a custom key store.
func (s *Service) sealInStore(ctx context.Context, tx *fsm.Txn, c *call.Call, k key, plaintext []byte, ec encryptionContext) ([]byte, error) {
	blob, err := newBlob(k)
	if err != nil {
		return nil, err
	}
	blob.Derivation, blob.Envelope = s.cfg.HSM.Info().Derivation, []byte{}
	aad := authenticated(blob, ec)
	if k.store.Type == state.CloudHSM {
		blob.Envelope, err = s.sealCluster(ctx, tx, k, plaintext, aad)
	} else {
		blob.Envelope, err = s.sealTwice(ctx, tx, c, k, plaintext, aad)
	}
	if err != nil {
		return nil, err
	}
	return blob.Marshal(), nil
}

// sealTwice has the partition encrypt, then the proxy.
func (s *Service) sealTwice(ctx context.Context, tx *fsm.Txn, c *call.Call, k key, plaintext, aad []byte) ([]byte, error) {
	material, err := currentMaterial(tx, k)
	if err != nil {
		return nil, err
	}
	inner, err := s.cfg.HSM.Encrypt(ctx, material.Wrapped, plaintext, aad)
	if err != nil {
		return nil, partitionFault("encrypting", err)
	}
	return s.sealOutside(ctx, tx, c, k, append(inner.Nonce[:], inner.Body...), aad)
}

// openInStore is open with a key in a custom key store.
func (s *Service) openInStore(ctx context.Context, tx *fsm.Txn, c *call.Call, k key, blob *hsm.Blob, ec encryptionContext) ([]byte, error) {
	if hex.EncodeToString(blob.Material[:]) != k.MaterialID {
		return nil, invalidCiphertext()
	}
	aad := authenticated(blob, ec)
	if k.store.Type == state.CloudHSM {
		return s.openCluster(ctx, tx, k, blob.Envelope, aad)
	}
	return s.openTwice(ctx, tx, c, k, blob, aad)
}

// openTwice undoes sealTwice. What the proxy answers and the partition did not make is
// the proxy's fault, not the client's.
func (s *Service) openTwice(ctx context.Context, tx *fsm.Txn, c *call.Call, k key, blob *hsm.Blob, aad []byte) ([]byte, error) {
	material, err := currentMaterial(tx, k)
	if err != nil {
		return nil, err
	}
	inner, err := s.openOutside(ctx, tx, c, k, blob.Envelope, aad)
	if err != nil {
		return nil, err
	}
	if len(inner) < hsm.NonceSize {
		return nil, invalidState("%s", tampered)
	}
	sealed := hsm.Sealed{Derivation: blob.Derivation}
	sealed.Body = inner[copy(sealed.Nonce[:], inner):]
	plaintext, err := s.cfg.HSM.Decrypt(ctx, material.Wrapped, sealed, aad)
	if errors.Is(err, hsm.ErrInvalidCiphertext) {
		return nil, invalidState("%s", tampered)
	}
	if err != nil {
		return nil, partitionFault("decrypting", err)
	}
	return plaintext, nil
}
