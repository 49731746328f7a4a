package kms

import (
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/state"
)

// Imported material is imported into each Region by itself, into that of the
// primary key first. Its replicas then expect it: they have a record of it
// without content, and nothing else can be imported in its place.

// expect tells the replicas of a primary key of material that was imported into
// it for its next rotation; a key that has replicas has had its first material
// before them. The ones that know it are left alone.
func expect(tx *fsm.Txn, primary *state.Key, m *state.KeyMaterial) error {
	if !m.Pending || primary.Replica() {
		return nil
	}
	for _, region := range primary.Replicas {
		found, err := relative(tx, primary, region)
		if err != nil {
			return err
		}
		known, _, err := state.KeyMaterials.Peek(tx.View(), found.AccountID, region, found.ID, m.ID)
		if err != nil {
			return err
		}
		if known != nil {
			continue
		}
		mine := *m
		mine.Wrapped, mine.ValidTo = hsm.WrappedKey{}, 0
		if err := state.KeyMaterials.Put(tx, &mine, found.AccountID, region, found.ID, mine.ID); err != nil {
			return err
		}
		if err := touch(tx, found); err != nil {
			return err
		}
	}
	return nil
}

// forget removes material from the replicas of a primary key that was pending
// rotation and has been deleted from it (DeleteImportedKeyMaterial, AWS KMS API
// reference).
func forget(tx *fsm.Txn, primary *state.Key, id string) error {
	for _, region := range primary.Replicas {
		found, err := relative(tx, primary, region)
		if err != nil {
			return err
		}
		m, _, err := state.KeyMaterials.Peek(tx.View(), found.AccountID, region, found.ID, id)
		if err != nil {
			return err
		}
		if m == nil {
			continue
		}
		if m.ValidTo != 0 {
			state.Expirations.Delete(tx, expiry(found, m)...)
		}
		state.KeyMaterials.Delete(tx, found.AccountID, region, found.ID, id)
		if err := touch(tx, found); err != nil {
			return err
		}
	}
	return nil
}
