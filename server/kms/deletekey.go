package kms

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/state"
)

// deleteKey removes a key and all that it owns, and records that it did. An
// entry of the agenda whose key has none of it any more is only removed.
func deleteKey(_ context.Context, tx *fsm.Txn, entry []string, now time.Time) error {
	k, err := state.Keys.Get(tx, entry[1:]...)
	if err != nil {
		return err
	}
	state.Deletions.Delete(tx, entry...)
	if k == nil || (k.State != state.PendingDeletion || !slices.Equal(due(k), entry)) && !plantedDeletion {
		return nil
	}
	if err := deleteChildren(tx, k); err != nil {
		return err
	}
	if err := sweepLater(tx, k, now); err != nil {
		return err
	}
	if err := errors.Join(uncountKey(tx, k), leave(tx, k)); err != nil {
		return err
	}
	state.Keys.Delete(tx, k.AccountID, k.Region, k.ID)
	if err := leaveRelated(tx, k, now); err != nil {
		return err
	}
	event, err := serviceEvent(k, "DeleteKey", now, deletionDetails{KeyID: k.ID})
	if err != nil {
		return err
	}
	tx.SetEvent(event)
	return nil
}

// deleteChildren removes what the key owns. The guarded read of the key covers
// the lists: what is added to them touches the key.
func deleteChildren(tx *fsm.Txn, k *state.Key) error {
	id := []string{k.AccountID, k.Region, k.ID}
	err := state.KeyMaterials.Scan(tx.View(), id, nil, func(id []string, m *state.KeyMaterial) (bool, error) {
		state.KeyMaterials.Delete(tx, id...)
		if m.ValidTo != 0 {
			state.Expirations.Delete(tx, expiry(k, m)...)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	err = state.KeyAliases.Scan(tx.View(), id, nil, func(id []string, _ *state.KeyAlias) (bool, error) {
		state.KeyAliases.Delete(tx, id...)
		state.Aliases.Delete(tx, k.AccountID, k.Region, id[3])
		return true, nil
	})
	state.KeyTags.Delete(tx, id...)
	state.KeyPolicies.Delete(tx, id...)
	state.KeyUsages.Delete(tx, id...)
	return err
}

// deletionDetails are the serviceEventDetails of DeleteKey.
type deletionDetails struct {
	KeyID string `json:"keyId"`
}
