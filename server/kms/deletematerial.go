package kms

import (
	"context"
	"slices"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type deleteImportedKeyMaterialRequest struct {
	KeyID         string
	KeyMaterialID string
}

func deleteImportedKeyMaterialShape() *shape.Struct[deleteImportedKeyMaterialRequest] {
	type r = deleteImportedKeyMaterialRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Text("KeyMaterialId", keyMaterialIDType(), func(q *r) *string { return &q.KeyMaterialID }),
	)
}

type deleteImportedKeyMaterialParameters struct {
	KeyID         string `json:"keyId"`
	KeyMaterialID string `json:"keyMaterialId,omitempty"`
}

// deleteImportedKeyMaterial deletes the current material where the request names
// none. What is not there any more is deleted without effect.
func (s *Service) deleteImportedKeyMaterial(_ context.Context, tx *fsm.Txn, c *call.Call, req *deleteImportedKeyMaterialRequest) (*materialResponse, error) {
	c.Record.Parameters = (*deleteImportedKeyMaterialParameters)(req)
	k, err := s.key(tx, c, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	if err := external(k); err != nil {
		return nil, err
	}
	id := req.KeyMaterialID
	if id == "" {
		id = k.MaterialID
	}
	all, err := materials(tx.View(), k.Key)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(m *state.KeyMaterial) bool { return m.ID == id })
	if i < 0 && id != "" {
		return nil, notFound("Key material '%s' does not exist in %s", id, k.arn)
	}
	if i >= 0 && all[i].Imported() {
		if err := dropMaterial(tx, k.Key, all, all[i]); err != nil {
			return nil, err
		}
	}
	c.Record.Response = &materialElements{KeyID: k.arn, KeyMaterialID: id}
	return &materialResponse{KeyID: k.arn, KeyMaterialID: id}, nil
}

// dropMaterial removes a material of a key. Its record stays, so that nothing
// else can be imported in its place, unless it was still pending rotation: such a
// one does not belong to the key yet, and goes from the replicas, too.
func dropMaterial(tx *fsm.Txn, k *state.Key, all []*state.KeyMaterial, m *state.KeyMaterial) error {
	if m.ValidTo != 0 {
		state.Expirations.Delete(tx, expiry(k, m)...)
	}
	rest := without(all, m.ID)
	if m.Pending && !k.Replica() || plantedForeign {
		state.KeyMaterials.Delete(tx, k.AccountID, k.Region, k.ID, m.ID)
		if err := forget(tx, k, m.ID); err != nil {
			return err
		}
	} else {
		empty := *m
		empty.Wrapped, empty.ValidTo = hsm.WrappedKey{}, 0
		if err := state.KeyMaterials.Put(tx, &empty, k.AccountID, k.Region, k.ID, m.ID); err != nil {
			return err
		}
		rest = append(rest, &empty)
	}
	next := *k
	next.Settle(rest)
	return put(tx, &next)
}

// expirationDetails are the serviceEventDetails of DeleteExpiredKeyMaterial.
type expirationDetails struct {
	KeyID         string `json:"keyId"`
	KeyMaterialID string `json:"keyMaterialId"`
}

// expireMaterial drops imported material whose time has come, and records that it
// did. An entry of the agenda that is no longer the material's is only removed.
func expireMaterial(_ context.Context, tx *fsm.Txn, entry []string, now time.Time) error {
	found, err := state.Keys.Get(tx, entry[1:4]...)
	if err != nil {
		return err
	}
	state.Expirations.Delete(tx, entry...)
	if found == nil {
		return nil
	}
	all, err := materials(tx.View(), found)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(m *state.KeyMaterial) bool { return m.ID == entry[4] })
	if i < 0 || !slices.Equal(expiry(found, all[i]), entry) {
		return nil
	}
	if err := dropMaterial(tx, found, all, all[i]); err != nil {
		return err
	}
	event, err := serviceEvent(found, "DeleteExpiredKeyMaterial", now, expirationDetails{KeyID: found.ID, KeyMaterialID: entry[4]})
	if err != nil {
		return err
	}
	tx.SetEvent(event)
	return nil
}
