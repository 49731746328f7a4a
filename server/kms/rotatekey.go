package kms

import (
	"context"
	"slices"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/state"
)

// maxOnDemand is how often a key can be rotated on demand ("Resource quotas" in
// the KMS developer guide).
const maxOnDemand = 25

type rotateKeyOnDemandResponse struct {
	KeyID string `json:"KeyId"` // as the request names the key
}

// rotateKeyOnDemand rotates at once, in its own transaction, where AWS only
// begins: what is encrypted after the answer is under the new material on every
// node, and a partition that cannot make material refuses this call instead of
// leaving a rotation in progress for ever. So no ConflictException is possible.
// The second record that AWS writes, RotateKey, is announced.
func (s *Service) rotateKeyOnDemand(ctx context.Context, tx *fsm.Txn, c *call.Call, req *keyRequest) (*rotateKeyOnDemandResponse, error) {
	c.Record.Parameters = &keyParameters{KeyID: req.KeyID}
	k, err := s.key(tx, c, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	if err := rotatable(k); err != nil {
		return nil, err
	}
	if k.Replica() {
		return nil, notPrimary(k)
	}
	if k.OnDemandRotations >= maxOnDemand {
		return nil, limitExceeded("The on-demand rotations limit has been reached for the given keyId. "+
			"No more on-demand rotations can be performed for this key: %s", k.arn)
	}
	material, err := s.nextMaterial(ctx, tx, k, c.Time)
	if err != nil {
		return nil, err
	}
	next := *k.Key
	next.OnDemandRotations++
	if err := rotate(tx, &next, material, state.RotationOnDemand, c.Time); err != nil {
		return nil, err
	}
	event := record.ServiceEvent{Name: "RotateKey", Time: c.Time, Details: rotated(k.Key, &next, state.RotationOnDemand)}
	if err := announce(tx, &next, event); err != nil {
		return nil, err
	}
	c.Record.Response = &keyElements{KeyID: req.KeyID}
	return &rotateKeyOnDemandResponse{KeyID: req.KeyID}, nil
}

// nextMaterial is what a key is rotated to: new material, or for an imported key
// the one that was imported for it, into all related keys.
func (s *Service) nextMaterial(ctx context.Context, tx *fsm.Txn, k key, now time.Time) (*state.KeyMaterial, error) {
	if k.Origin == state.OriginKMS {
		return s.generate(ctx, k.Key, now)
	}
	pending, err := pendingMaterial(tx.View(), k.Key)
	if err != nil {
		return nil, err
	}
	ready := false
	if pending != nil {
		if ready, err = everywhere(tx, k.Key, pending.ID); err != nil {
			return nil, err
		}
	}
	if !ready {
		return nil, invalidState("No available key material pending rotation for the key: %s.", k.arn)
	}
	next := *pending
	return &next, nil
}

// rotate makes a material the current one of a key and of its replicas; key and
// material are the caller's copies. The others stay, for what was encrypted under
// them.
func rotate(tx *fsm.Txn, next *state.Key, material *state.KeyMaterial, rotationType string, now time.Time) error {
	next.Rotations++
	material.Pending = false
	material.Ordinal, material.Rotated, material.RotationType = next.Rotations, now.UnixMilli(), rotationType
	if err := use(tx, next, material); err != nil {
		return err
	}
	return synchronize(tx, next, material, now)
}

// use writes a material as a key's current one, and the key with it.
func use(tx *fsm.Txn, next *state.Key, material *state.KeyMaterial) error {
	next.MaterialID = material.ID
	if next.Origin == state.OriginExternal {
		if err := settle(tx.View(), next, material); err != nil {
			return err
		}
	}
	if err := state.KeyMaterials.Put(tx, material, next.AccountID, next.Region, next.ID, material.ID); err != nil {
		return err
	}
	return put(tx, next)
}

// settle brings an imported key in line with its materials, one of which has
// changed.
func settle(view fsm.View, k *state.Key, changed *state.KeyMaterial) error {
	all, err := materials(view, k)
	if err != nil {
		return err
	}
	for i, m := range all {
		if m.ID == changed.ID {
			all[i] = changed
		}
	}
	k.Settle(all)
	return nil
}

// rotateDue rotates a key whose period has ended; the next one begins now. An
// entry of the agenda that does not agree with its key is only removed.
func (s *Service) rotateDue(ctx context.Context, tx *fsm.Txn, entry []string, now time.Time) error {
	k, err := state.Keys.Get(tx, entry[1:]...)
	if err != nil {
		return err
	}
	state.Rotations.Delete(tx, entry...)
	if !slices.Equal(rotationDue(k), entry) {
		return nil
	}
	material, err := s.generate(ctx, k, now)
	if err != nil {
		return err
	}
	next := *k
	next.NextRotation = after(now, k.RotationPeriod)
	if err := rotate(tx, &next, material, state.RotationAutomatic, now); err != nil {
		return err
	}
	event, err := serviceEvent(k, "RotateKey", now, rotated(k, &next, state.RotationAutomatic))
	if err != nil {
		return err
	}
	tx.SetEvent(event)
	return nil
}

// rotationDetails are the serviceEventDetails of RotateKey.
type rotationDetails struct {
	KeyID                 string `json:"keyId"`
	RotationType          string `json:"rotationType"`
	KeyOrigin             string `json:"keyOrigin"`
	PreviousKeyMaterialID string `json:"previousKeyMaterialId"`
	CurrentKeyMaterialID  string `json:"currentKeyMaterialId"`
}

func rotated(before, now *state.Key, rotationType string) rotationDetails {
	return rotationDetails{
		KeyID: now.ID, RotationType: rotationType, KeyOrigin: now.Origin,
		PreviousKeyMaterialID: before.MaterialID, CurrentKeyMaterialID: now.MaterialID,
	}
}
