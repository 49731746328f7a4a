package kms

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

// usualPeriod is the rotation period where a request names none, in days.
const usualPeriod = 365

type enableKeyRotationRequest struct {
	KeyID                string
	RotationPeriodInDays int
}

func enableKeyRotationShape() *shape.Struct[enableKeyRotationRequest] {
	type r = enableKeyRotationRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Number("RotationPeriodInDays", rotationPeriodInDaysType(), func(q *r) *int { return &q.RotationPeriodInDays }),
	)
}

type enableKeyRotationParameters struct {
	KeyID                string `json:"keyId"`
	RotationPeriodInDays int    `json:"rotationPeriodInDays,omitempty"`
}

// enableKeyRotation turns automatic rotation on, or changes its period. The
// period begins now; enabling again what is enabled with the same period leaves
// the schedule alone, so that tools that repeat themselves do not postpone it.
func (s *Service) enableKeyRotation(_ context.Context, tx *fsm.Txn, c *call.Call, req *enableKeyRotationRequest) (any, error) {
	c.Record.Parameters = &enableKeyRotationParameters{KeyID: req.KeyID, RotationPeriodInDays: req.RotationPeriodInDays}
	period := req.RotationPeriodInDays
	if period == 0 {
		period = usualPeriod
	}
	wanted := with(c, "kms:rotationperiodindays", strconv.Itoa(period))
	return s.setRotation(tx, c, wanted, req.KeyID, func(k *state.Key) {
		if k.RotationPeriod != period {
			k.RotationPeriod, k.NextRotation = period, after(c.Time, period)
		}
	})
}

func (s *Service) disableKeyRotation(_ context.Context, tx *fsm.Txn, c *call.Call, req *keyRequest) (any, error) {
	c.Record.Parameters = &keyParameters{KeyID: req.KeyID}
	return s.setRotation(tx, c, to(c), req.KeyID, func(k *state.Key) { k.RotationPeriod, k.NextRotation = 0, 0 })
}

// setRotation changes the schedule of a key's automatic rotation.
func (s *Service) setRotation(tx *fsm.Txn, c *call.Call, a access, name string, set func(*state.Key)) (any, error) {
	k, err := s.keyFor(tx, c, a, name, byID)
	if err != nil {
		return nil, err
	}
	if err := rotatable(k); err != nil {
		return nil, err
	}
	if k.Origin != state.OriginKMS {
		return nil, originRefused(k)
	}
	if k.Replica() {
		return nil, notPrimary(k)
	}
	next := *k.Key
	set(&next)
	changed(c, k)
	if err := put(tx, &next); err != nil {
		return nil, err
	}
	return nil, synchronize(tx, &next, nil, c.Time)
}

// after is some days after now, in Unix milliseconds.
func after(now time.Time, days int) int64 {
	return now.Add(time.Duration(days) * 24 * time.Hour).UnixMilli()
}

type keyRotationStatusResponse struct {
	KeyID                string    `json:"KeyId"` // as the request names the key
	KeyRotationEnabled   bool      `json:"KeyRotationEnabled"`
	NextRotationDate     timestamp `json:"NextRotationDate,omitempty"`
	RotationPeriodInDays int       `json:"RotationPeriodInDays,omitempty"`
}

// getKeyRotationStatus never answers OnDemandRotationStartDate: no rotation is
// ever in progress (rotateKeyOnDemand). A key that is to be deleted is not
// rotated, and says so.
func (s *Service) getKeyRotationStatus(_ context.Context, tx *fsm.Txn, c *call.Call, req *keyRequest) (*keyRotationStatusResponse, error) {
	c.Record.Parameters = &keyParameters{KeyID: req.KeyID}
	k, err := s.key(tx, c, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	if err := rotatable(k); err != nil {
		return nil, err
	}
	resp := &keyRotationStatusResponse{KeyID: req.KeyID}
	if k.RotationPeriod > 0 && k.State != state.PendingDeletion && k.State != state.PendingReplicaDeletion {
		resp.KeyRotationEnabled = true
		resp.RotationPeriodInDays, resp.NextRotationDate = k.RotationPeriod, timestamp(k.NextRotation)
	}
	return resp, nil
}

// rotatable refuses keys that have no rotation of any kind: those that are not
// for symmetric encryption, without a word, and those in custom key stores.
func rotatable(k key) error {
	if k.Spec != hsm.SymmetricDefault {
		return unsupportedKey()
	}
	if k.Origin != state.OriginKMS && k.Origin != state.OriginExternal {
		return originRefused(k)
	}
	return nil
}

func originRefused(k key) error {
	return unsupported("%s origin is %s which is not valid for this operation.", k.arn, k.Origin)
}

// reschedule moves a key's entry in the agenda of automatic rotations to where
// the changed key belongs. before is nil where the key is new.
func reschedule(tx *fsm.Txn, before, now *state.Key) error {
	from, to := rotationDue(before), rotationDue(now)
	if slices.Equal(from, to) {
		return nil
	}
	if from != nil {
		state.Rotations.Delete(tx, from...)
	}
	if to == nil {
		return nil
	}
	return state.Rotations.Put(tx, &state.Rotation{}, to...)
}

// rotationDue is the identifier of a key's entry in the agenda of automatic
// rotations, nil where it is not to be rotated. A replica is rotated with its
// primary key. A key that is not enabled keeps
// its schedule and is not on the agenda: when it is enabled again, what was
// missed is due at once (GetKeyRotationStatus in the AWS KMS API reference).
func rotationDue(k *state.Key) []string {
	if k == nil || k.State != state.Enabled || k.NextRotation == 0 || k.Replica() {
		return nil
	}
	return []string{state.DueTime(k.NextRotation), k.AccountID, k.Region, k.ID}
}
