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

// seal encrypts under the key's current material. A symmetric ciphertext
// authenticates its own header, then the encryption context (appendCanonical).
func (s *Service) seal(ctx context.Context, tx *fsm.Txn, c *call.Call, k key, alg string, plaintext []byte, ec encryptionContext) ([]byte, error) {
	if k.store != nil {
		return s.sealInStore(ctx, tx, c, k, plaintext, ec)
	}
	material, err := currentMaterial(tx, k)
	if err != nil {
		return nil, err
	}
	if alg != symmetricDefault {
		return sealPublicly(k, material, alg, plaintext)
	}
	blob, err := newBlob(k)
	if err != nil {
		return nil, err
	}
	blob.Derivation = s.cfg.HSM.Info().Derivation
	blob.Sealed, err = s.cfg.HSM.Encrypt(ctx, material.Wrapped, plaintext, authenticated(blob, ec))
	if err != nil {
		return nil, partitionFault("encrypting", err)
	}
	return blob.Marshal(), nil
}

// open decrypts what seal returned. Whatever is wrong with the ciphertext or the
// context is InvalidCiphertextException.
func (s *Service) open(ctx context.Context, tx *fsm.Txn, c *call.Call, k key, blob *hsm.Blob, ec encryptionContext) ([]byte, error) {
	if (blob.Envelope != nil) != (k.store != nil) {
		return nil, invalidCiphertext()
	}
	if k.store != nil {
		return s.openInStore(ctx, tx, c, k, blob, ec)
	}
	material, err := readMaterial(tx, k, hex.EncodeToString(blob.Material[:]))
	if err != nil {
		return nil, err
	}
	if material == nil {
		return nil, invalidCiphertext()
	}
	plaintext, err := s.cfg.HSM.Decrypt(ctx, material.Wrapped, blob.Sealed, authenticated(blob, ec))
	if errors.Is(err, hsm.ErrInvalidCiphertext) {
		return nil, invalidCiphertext()
	}
	if err != nil {
		return nil, partitionFault("decrypting", err)
	}
	return plaintext, nil
}

// currentMaterial reads the material with which a key encrypts, signs and so on.
func currentMaterial(tx *fsm.Txn, k key) (*state.KeyMaterial, error) {
	material, err := readMaterial(tx, k, k.MaterialID)
	if err == nil && material == nil {
		return nil, damaged("material")
	}
	return material, err
}

// readMaterial reads one of a key's materials, nil where it is absent. The guarded
// read of the key covers it.
func readMaterial(tx *fsm.Txn, k key, id string) (*state.KeyMaterial, error) {
	m, _, err := state.KeyMaterials.Peek(tx.View(), k.AccountID, k.Region, k.ID, id)
	return m, err
}

func authenticated(blob *hsm.Blob, ec encryptionContext) []byte {
	size := hsm.BlobHeaderSize + 4
	for _, p := range ec {
		size += 8 + len(p.Key) + len(p.Value)
	}
	return ec.appendCanonical(blob.AppendHeader(make([]byte, 0, size)))
}

// newBlob makes the blob of a key's current material, still without content.
func newBlob(k key) (*hsm.Blob, error) {
	blob := new(hsm.Blob)
	var err error
	if blob.Account, err = hsm.ParseAccountID(k.AccountID); err != nil {
		return nil, err
	}
	if blob.Key, err = hsm.ParseKeyID(k.ID); err != nil {
		return nil, err
	}
	if n, err := hex.Decode(blob.Material[:], []byte(k.MaterialID)); err != nil || n != len(blob.Material) {
		return nil, damaged("material id")
	}
	return blob, nil
}
