package kms

import (
	"context"
	"slices"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/shape"
	"github.com/cofre-kms/cofre/server/state"
)

type updatePrimaryRegionRequest struct{ KeyID, PrimaryRegion string }

func updatePrimaryRegionShape() *shape.Struct[updatePrimaryRegionRequest] {
	type r = updatePrimaryRegionRequest
	return shape.Of(
		shape.Text("KeyId", keyIDType(), func(q *r) *string { return &q.KeyID }).Required(),
		shape.Text("PrimaryRegion", regionType(), func(q *r) *string { return &q.PrimaryRegion }).Required(),
	)
}

type updatePrimaryRegionParameters struct {
	KeyID         string `json:"keyId"`
	PrimaryRegion string `json:"primaryRegion"`
}

// updatePrimaryRegion makes a replica the primary key and the primary key a
// replica, at one instant. The record of the Region that gets the primary key is
// announced.
func (s *Service) updatePrimaryRegion(_ context.Context, tx *fsm.Txn, c *call.Call, req *updatePrimaryRegionRequest) (any, error) {
	parameters := &updatePrimaryRegionParameters{KeyID: req.KeyID, PrimaryRegion: req.PrimaryRegion}
	c.Record.Parameters = parameters
	wanted := with(c, "kms:primaryregion", req.PrimaryRegion)
	k, err := s.keyFor(tx, c, wanted, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	if !k.MultiRegion || k.Replica() {
		return nil, notPrimary(k)
	}
	replica, err := s.successor(tx, c, wanted, k, req.PrimaryRegion)
	if err != nil {
		return nil, err
	}
	next := *k.Key
	replicas := slices.DeleteFunc(append(slices.Clone(k.Replicas), k.Region), func(region string) bool { return region == req.PrimaryRegion })
	slices.Sort(replicas)
	if err := relate(tx, &next, req.PrimaryRegion, replicas); err != nil {
		return nil, err
	}
	changed(c, k)
	return nil, announce(tx, replica, record.ServiceEvent{
		Name: "UpdatePrimaryRegion", Time: c.Time, InvokedBy: "kms.amazonaws.com",
		Parameters: parameters, Response: &keyElements{KeyID: replica.ARN()},
	})
}

// successor answers the replica that is to be the primary key. The caller needs
// the permission on it, too, and it must be enabled.
func (s *Service) successor(tx *fsm.Txn, c *call.Call, a access, k key, region string) (*state.Key, error) {
	ref := reference{account: k.AccountID, region: region, id: k.ID}
	if !slices.Contains(k.Replicas, region) {
		return nil, notFound("Key '%s' does not exist", ref.keyARN())
	}
	replica, err := relative(tx, k.Key, region)
	if err != nil {
		return nil, err
	}
	if err := s.authorize(tx, elsewhere(c, region), a, ref, replica); err != nil {
		return nil, err
	}
	return replica, s.states.check(c.Operation, key{Key: replica, arn: replica.ARN()})
}
