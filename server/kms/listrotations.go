package kms

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type listKeyRotationsRequest struct {
	listRequest
	IncludeKeyMaterial string
}

func listKeyRotationsShape() *shape.Struct[listKeyRotationsRequest] {
	type r = listKeyRotationsRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Text("IncludeKeyMaterial", includeKeyMaterialType(), func(q *r) *string { return &q.IncludeKeyMaterial }),
		shape.Number("Limit", limitType(), func(q *r) *int { return &q.Limit }),
		shape.Text("Marker", markerType(), func(q *r) *string { return &q.Marker }),
	)
}

type listKeyRotationsParameters struct {
	KeyID              string `json:"keyId"`
	IncludeKeyMaterial string `json:"includeKeyMaterial,omitempty"`
	Limit              int    `json:"limit,omitempty"`
	Marker             string `json:"marker,omitempty"`
}

type listKeyRotationsResponse struct {
	Rotations []rotationsListEntry
	truncation
}

type rotationsListEntry struct {
	KeyID                  string `json:"KeyId"` // as the request names the key
	KeyMaterialID          string `json:"KeyMaterialId"`
	KeyMaterialDescription string `json:",omitempty"`
	ImportState            string `json:",omitempty"`
	KeyMaterialState       string
	ExpirationModel        string    `json:",omitempty"`
	ValidTo                timestamp `json:",omitempty"`
	RotationDate           timestamp `json:",omitempty"`
	RotationType           string    `json:",omitempty"`
}

// listKeyRotations answers a key's materials from the oldest to the newest, by
// default only those that a rotation made current.
func (s *Service) listKeyRotations(_ context.Context, tx *fsm.Txn, c *call.Call, req *listKeyRotationsRequest) (*listKeyRotationsResponse, error) {
	c.Record.Parameters = &listKeyRotationsParameters{
		KeyID: req.KeyID, IncludeKeyMaterial: req.IncludeKeyMaterial, Limit: req.Limit, Marker: req.Marker,
	}
	k, err := s.key(tx, c, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	if err := rotatable(k); err != nil {
		return nil, err
	}
	p, err := newPage("rotations "+k.ID, req.Limit, 100, 1000, req.Marker, ordinal)
	if err != nil {
		return nil, err
	}
	all, err := materials(tx.View(), k.Key)
	if err != nil {
		return nil, err
	}
	resp := &listKeyRotationsResponse{Rotations: []rotationsListEntry{}}
	last := ""
	for _, m := range all {
		at := position(k.Key, m)
		if m.Rotated == 0 && req.IncludeKeyMaterial != allKeyMaterial || p.passed(at) {
			continue
		}
		if n := len(resp.Rotations); n > 0 && resp.full(p, n, last) {
			break
		}
		entry := rotation(req.KeyID, k.Key, m)
		if m.Pending {
			if ready, err := everywhere(tx, k.Key, m.ID); err != nil {
				return nil, err
			} else if !ready {
				entry.KeyMaterialState = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
			}
		}
		resp.Rotations, last = append(resp.Rotations, entry), strconv.Itoa(at)
	}
	return resp, nil
}

// rotation describes one of a key's materials.
func rotation(name string, k *state.Key, m *state.KeyMaterial) rotationsListEntry {
	entry := rotationsListEntry{
		KeyID: name, KeyMaterialID: m.ID, KeyMaterialState: "NON_CURRENT",
		RotationDate: timestamp(m.Rotated), RotationType: m.RotationType,
	}
	switch {
	case m.Pending:
		entry.KeyMaterialState = "PENDING_ROTATION"
	case m.ID == k.MaterialID:
		entry.KeyMaterialState = "CURRENT"
	}
	if k.Origin == state.OriginExternal {
		entry.importing(m)
	}
	return entry
}

// importing adds what only imported material has.
func (e *rotationsListEntry) importing(m *state.KeyMaterial) {
	e.KeyMaterialDescription = m.Description
	if !m.Imported() {
		e.ImportState = "PENDING_IMPORT"
		return
	}
	e.ImportState, e.ExpirationModel = "IMPORTED", doesNotExpire
	if m.ValidTo != 0 {
		e.ExpirationModel, e.ValidTo = expires, timestamp(m.ValidTo)
	}
}

// materials answers a key's materials, the oldest first and one that waits for
// its rotation last. There are as many as rotations, so all of them are read.
// The caller's guarded read of the key covers them.
func materials(view fsm.View, k *state.Key) (all []*state.KeyMaterial, err error) {
	err = state.KeyMaterials.Scan(view, []string{k.AccountID, k.Region, k.ID}, nil, func(_ []string, m *state.KeyMaterial) (bool, error) {
		all = append(all, m)
		return true, nil
	})
	slices.SortFunc(all, func(a, b *state.KeyMaterial) int { return cmp.Compare(position(k, a), position(k, b)) })
	return all, err
}

// pendingMaterial answers the material that was imported for a key's next
// rotation, nil where there is none.
func pendingMaterial(view fsm.View, k *state.Key) (*state.KeyMaterial, error) {
	all, err := materials(view, k)
	for _, m := range all {
		if m.Pending {
			return m, err
		}
	}
	return nil, err
}

// position is a material's ordinal; of one that waits for its rotation the one
// that it will have, so that markers stay good.
func position(k *state.Key, m *state.KeyMaterial) int {
	if m.Pending {
		return k.Rotations + 1
	}
	return m.Ordinal
}

// ordinal says whether a marker's name is a position.
func ordinal(name string) bool {
	n, err := strconv.Atoi(name)
	return err == nil && strconv.Itoa(n) == name
}

// passed says whether the page begins after a position.
func (p page) passed(position int) bool {
	after, err := strconv.Atoi(p.after)
	return err == nil && position <= after
}
