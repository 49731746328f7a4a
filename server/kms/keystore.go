package kms

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// What custom key stores have in common. Proxies and clusters are called inside the
// operation, as the partition is, before anything is committed: an operation whose
// transaction conflicts calls them again. That is safe, because no call changes
// anything there that has to be undone.

// keyStoreRequest is the request of operations that only name a custom key store.
type keyStoreRequest struct{ CustomKeyStoreID string }

func keyStoreRequestShape() *shape.Struct[keyStoreRequest] {
	return shape.Of(shape.Text("CustomKeyStoreId", customKeyStoreIDType(),
		func(q *keyStoreRequest) *string { return &q.CustomKeyStoreID }).Required())
}

type keyStoreParameters struct {
	CustomKeyStoreID string `json:"customKeyStoreId"`
}

// keyStoreData is the additionalEventData of operations on a custom key store.
type keyStoreData struct {
	CustomKeyStoreName  string `json:"customKeyStoreName,omitempty"`
	ClusterID           string `json:"clusterId,omitempty"`
	ConnectionState     string `json:"connectionState,omitempty"`
	ConnectionErrorCode string `json:"connectionErrorCode,omitempty"`
}

// nothing is a JSON object with no properties.
type nothing struct{}

// maxKeyStores is how many custom key stores an account can have in a Region
// ("Resource quotas" in the KMS developer guide).
const maxKeyStores = 10

// keyStore reads the custom key store that a request names, for a caller who may do
// the operation: there are no policies of key stores, and none of other accounts.
func (s *Service) keyStore(tx *fsm.Txn, c *call.Call, id string) (*state.CustomKeyStore, error) {
	if err := s.authorizeOther(tx, c, to(c), anyResource); err != nil {
		return nil, err
	}
	found, err := readKeyStore(tx, c, id)
	if err != nil {
		return nil, err
	}
	c.Record.Additional = &keyStoreData{CustomKeyStoreName: found.Name, ClusterID: found.ClusterID}
	return found, nil
}

// readKeyStore reads a custom key store of the caller's, by guard.
func readKeyStore(tx *fsm.Txn, c *call.Call, id string) (*state.CustomKeyStore, error) {
	found, err := state.CustomKeyStores.Get(tx, c.Principal.AccountID, c.Region, id)
	if err == nil && found == nil {
		err = noKeyStore(id)
	}
	return found, err
}

// keyStores reads all custom key stores of the caller's account and Region. The
// directory guards which there are and what they are called, not whether they are
// connected.
func keyStores(tx *fsm.Txn, account, region string) (all []*state.CustomKeyStore, err error) {
	if _, err := state.KeyStoreDirectories.Get(tx, account, region); err != nil {
		return nil, err
	}
	err = state.CustomKeyStores.Scan(tx.View(), []string{account, region}, nil,
		func(_ []string, s *state.CustomKeyStore) (bool, error) {
			all = append(all, s)
			return true, nil
		})
	return all, err
}

// putKeyStore writes a custom key store that is new, or has changed in what keyStores
// guards.
func putKeyStore(tx *fsm.Txn, s *state.CustomKeyStore) error {
	if err := state.KeyStoreDirectories.Put(tx, &state.KeyStoreDirectory{}, s.AccountID, s.Region); err != nil {
		return err
	}
	return writeKeyStore(tx, s)
}

func writeKeyStore(tx *fsm.Txn, s *state.CustomKeyStore) error {
	return state.CustomKeyStores.Put(tx, s, s.AccountID, s.Region, s.ID)
}

// newKeyStoreID draws an id of AWS's form: cks- and 17 hex digits.
func newKeyStoreID() (string, error) {
	var b [9]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("drawing the id of a custom key store: %w", err)
	}
	return "cks-" + hex.EncodeToString(b[:])[:17], nil
}

// checkName refuses a name that another store has, or that begins or ends with a
// space.
func checkName(all []*state.CustomKeyStore, id, name string) error {
	if strings.TrimSpace(name) != name {
		return invalid("The name of a custom key store cannot begin or end with a space.")
	}
	for _, other := range all {
		if other.Name == name && other.ID != id {
			return call.Errorf("CustomKeyStoreNameInUseException",
				"The custom key store name %s is already assigned to another custom key store.", name)
		}
	}
	return nil
}

// notInState refuses an operation that the connection state does not allow.
func notInState(s *state.CustomKeyStore) error {
	return call.Errorf(storeState,
		"The custom key store %s has the connection state %s, which is not valid for this operation.", s.ID, s.Connection)
}

// seal seals a secret of a custom key store, so that only its own record opens it.
func (s *Service) sealKeyStore(ctx context.Context, tx *fsm.Txn, store *state.CustomKeyStore, secret []byte) error {
	secrets, err := secretsKey(tx)
	if err != nil {
		return err
	}
	if store.Secret, err = s.cfg.HSM.Encrypt(ctx, secrets, secret, keyStoreSecret(store)); err != nil {
		return fmt.Errorf("sealing the secret of a custom key store: %w", err)
	}
	return nil
}

// openKeyStore opens what sealKeyStore sealed. The caller wipes it.
func (s *Service) openKeyStore(ctx context.Context, tx *fsm.Txn, store *state.CustomKeyStore) ([]byte, error) {
	secrets, err := secretsKey(tx)
	if err != nil {
		return nil, err
	}
	secret, err := s.cfg.HSM.Decrypt(ctx, secrets, store.Secret, keyStoreSecret(store))
	if err != nil {
		return nil, fmt.Errorf("opening the secret of a custom key store: %w", err)
	}
	return secret, nil
}

// keyStoreSecret is the aad of a store's secret. No other data under the secrets
// key begins like it.
func keyStoreSecret(s *state.CustomKeyStore) []byte {
	return []byte("cofre custom key store v1\x00" + s.AccountID + "\x00" + s.Region + "\x00" + s.ID)
}

// noKeyStore refuses the id of a custom key store that does not exist.
func noKeyStore(id string) error {
	return call.Errorf("CustomKeyStoreNotFoundException", "The custom key store %s does not exist.", id)
}
