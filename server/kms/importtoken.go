package kms

import (
	"context"
	"errors"
	"fmt"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// importToken is what GetParametersForImport gives a client to bring back with
// the material: the wrapping key itself, wrapped under the domain key, how the
// material is encrypted to it, and until when.
//
// It is sealed under the cluster's secrets key with the key's ARN as aad, so that
// nobody can make one, read one, or use it with another key, and every node can
// open it. The other way would be a record of each wrapping key: then
// GetParametersForImport, which only reads as AWS counts, would write records
// that most clients never come back for, each of several kilobytes on every node,
// with an agenda to delete them. What a record could do and a token cannot is end
// early; but a token alone is worth nothing. Whoever uses it needs the right to
// ImportKeyMaterial at that moment, and reads nothing with it. As with AWS it can
// be used again until it expires.
//
// A domain key generation has to stay in the partitions for a day after the
// last wrapping key was made under it; after that no token names it.
type importToken struct {
	Wrapping  hsm.WrappedKey        `cbor:"1,keyasint"`
	Algorithm hsm.WrappingAlgorithm `cbor:"2,keyasint"`
	ValidTo   int64                 `cbor:"3,keyasint"` // Unix milliseconds
}

func (s *Service) sealToken(ctx context.Context, tx *fsm.Txn, k key, t *importToken) ([]byte, error) {
	secrets, err := secretsKey(tx)
	if err != nil {
		return nil, err
	}
	plain, err := fsm.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("encoding an import token: %w", err)
	}
	sealed, err := s.cfg.HSM.Encrypt(ctx, secrets, plain, tokenData(k))
	if err != nil {
		return nil, fmt.Errorf("sealing an import token: %w", err)
	}
	return fsm.Marshal(&sealed)
}

// openToken opens what sealToken returned for the same key. Whatever is wrong
// with it is InvalidImportTokenException, unless it has only expired.
func (s *Service) openToken(ctx context.Context, tx *fsm.Txn, c *call.Call, k key, token []byte) (*importToken, error) {
	secrets, err := secretsKey(tx)
	if err != nil {
		return nil, err
	}
	var sealed hsm.Sealed
	if err := fsm.Unmarshal(token, &sealed); err != nil {
		return nil, invalidImportToken()
	}
	plain, err := s.cfg.HSM.Decrypt(ctx, secrets, sealed, tokenData(k))
	if errors.Is(err, hsm.ErrInvalidCiphertext) {
		return nil, invalidImportToken()
	}
	if err != nil {
		return nil, fmt.Errorf("opening an import token: %w", err)
	}
	t := new(importToken)
	if err := fsm.Unmarshal(plain, t); err != nil {
		return nil, fmt.Errorf("decoding an import token: %w", err)
	}
	if c.Time.UnixMilli() >= t.ValidTo {
		return nil, expiredImportToken()
	}
	return t, nil
}

// tokenData is the aad of a key's tokens. No other data under the secrets key
// begins like it.
func tokenData(k key) []byte { return []byte("cofre import token v1\x00" + k.arn) }

// secretsKey answers the key that seals what belongs to no KMS key.
func secretsKey(tx *fsm.Txn) (hsm.WrappedKey, error) {
	system, _, err := state.Systems.Peek(tx.View(), state.SystemID)
	if err != nil {
		return hsm.WrappedKey{}, err
	}
	if system == nil {
		return hsm.WrappedKey{}, errors.New("the cluster is not initialized")
	}
	return system.SecretsKey, nil
}
