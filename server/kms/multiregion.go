package kms

import (
	"slices"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/state"
)

// Related multi-Region keys are records of their own, one in each Region, with
// copies of the material: so one guarded read of a key covers all that its use
// needs, in every Region, and a replica that is deleted takes its copies along.
// What the keys share is copied in the transaction that changes it. There is no
// moment at which two of them differ, and so no need for the states in which AWS
// lets a key wait for that, Creating and Updating.

// notPrimary refuses what only a multi-Region primary key has.
func notPrimary(k key) error { return unsupported("%s is not a multi-Region primary key.", k.arn) }

// elsewhere is a call as it would be in another Region: policies that ask for
// aws:RequestedRegion decide there about the key that is there.
func elsewhere(c *call.Call, region string) *call.Call {
	there := *c
	there.Region = region
	return &there
}

// regions are those of all related keys, that of the primary key first.
func regions(k *state.Key) []string { return append([]string{k.PrimaryRegion()}, k.Replicas...) }

// relative reads the related key of a Region.
func relative(tx *fsm.Txn, k *state.Key, region string) (*state.Key, error) {
	found, err := state.Keys.Get(tx, k.AccountID, region, k.ID)
	if err == nil && found == nil {
		err = damaged("replica")
	}
	return found, err
}

// relate writes the set of related keys into a key, the caller's copy, and into
// all that belong to the set.
func relate(tx *fsm.Txn, next *state.Key, primary string, replicas []string) error {
	next.Primary, next.Replicas = primary, replicas
	for _, region := range regions(next) {
		other := next
		if region != next.Region {
			found, err := relative(tx, next, region)
			if err != nil {
				return err
			}
			changed := *found
			changed.Primary, changed.Replicas = primary, replicas
			other = &changed
		}
		if err := put(tx, other); err != nil {
			return err
		}
	}
	return nil
}

// synchronize copies what related keys share from a primary key that has changed
// to its replicas ("Shared properties of multi-Region keys" in the KMS developer
// guide). material is the current one where it has changed, or nil.
func synchronize(tx *fsm.Txn, primary *state.Key, material *state.KeyMaterial, now time.Time) error {
	if len(primary.Replicas) == 0 {
		return nil
	}
	for _, region := range primary.Replicas {
		found, err := relative(tx, primary, region)
		if err != nil {
			return err
		}
		next := *found
		next.RotationPeriod, next.NextRotation = primary.RotationPeriod, primary.NextRotation
		next.OnDemandRotations, next.Rotations = primary.OnDemandRotations, primary.Rotations
		if material == nil || plantedReplica {
			err = put(tx, &next)
		} else {
			err = follow(tx, &next, material)
		}
		if err != nil {
			return err
		}
	}
	return announce(tx, primary, record.ServiceEvent{
		Name: "SynchronizeMultiRegionKey", Time: now, Response: &keyElements{KeyID: primary.ARN()},
	})
}

// follow rotates a replica as its primary key was. Imported material is the
// replica's own: it has been imported into every Region by itself.
func follow(tx *fsm.Txn, next *state.Key, material *state.KeyMaterial) error {
	mine := *material
	if next.Origin == state.OriginExternal {
		own, _, err := state.KeyMaterials.Peek(tx.View(), next.AccountID, next.Region, next.ID, material.ID)
		if err != nil {
			return err
		}
		if own == nil {
			return damaged("material")
		}
		mine.Wrapped, mine.ValidTo, mine.Description, mine.Created = own.Wrapped, own.ValidTo, own.Description, own.Created
	}
	return use(tx, next, &mine)
}

// adopt gives a new replica its copies of the primary key's materials. Those that
// were imported have to be imported here, too: only their records are copied, so
// that nothing else can be.
func adopt(tx *fsm.Txn, next *state.Key, all []*state.KeyMaterial) error {
	copies := make([]*state.KeyMaterial, 0, len(all))
	for _, m := range all {
		mine := *m
		if next.Origin == state.OriginExternal {
			mine.Wrapped, mine.ValidTo = hsm.WrappedKey{}, 0
		}
		if err := state.KeyMaterials.Put(tx, &mine, next.AccountID, next.Region, next.ID, mine.ID); err != nil {
			return err
		}
		copies = append(copies, &mine)
	}
	if next.Origin == state.OriginExternal {
		next.Settle(copies)
	}
	return nil
}

// everywhere says whether imported material is there in all related keys.
func everywhere(tx *fsm.Txn, k *state.Key, id string) (bool, error) {
	for _, region := range regions(k) {
		if _, err := relative(tx, k, region); err != nil { // it guards its material
			return false, err
		}
		m, _, err := state.KeyMaterials.Peek(tx.View(), k.AccountID, region, k.ID, id)
		if err != nil || m == nil || !m.Imported() {
			return false, err
		}
	}
	return true, nil
}

// leaveRelated takes a replica that is being deleted out of the set. With the
// last one the window of a primary key begins that was waiting for it.
func leaveRelated(tx *fsm.Txn, k *state.Key, now time.Time) error {
	if !k.Replica() {
		return nil
	}
	found, err := relative(tx, k, k.PrimaryRegion())
	if err != nil {
		return err
	}
	primary := *found
	rest := slices.DeleteFunc(slices.Clone(primary.Replicas), func(region string) bool { return region == k.Region })
	if err := relate(tx, &primary, primary.Region, rest); err != nil {
		return err
	}
	if primary.State != state.PendingReplicaDeletion || len(rest) > 0 {
		return nil
	}
	return scheduleDeletion(tx, &primary, now, primary.PendingWindow)
}

type multiRegionConfiguration struct {
	MultiRegionKeyType string
	PrimaryKey         multiRegionKey
	ReplicaKeys        []multiRegionKey
}

type multiRegionKey struct{ Arn, Region string }

// configuration describes the related keys of a multi-Region key.
func configuration(k *state.Key) *multiRegionConfiguration {
	in := func(region string) multiRegionKey {
		return multiRegionKey{Arn: reference{account: k.AccountID, region: region, id: k.ID}.keyARN(), Region: region}
	}
	c := &multiRegionConfiguration{
		MultiRegionKeyType: "PRIMARY", PrimaryKey: in(k.PrimaryRegion()), ReplicaKeys: make([]multiRegionKey, 0, len(k.Replicas)),
	}
	if k.Replica() {
		c.MultiRegionKeyType = "REPLICA"
	}
	for _, region := range k.Replicas {
		c.ReplicaKeys = append(c.ReplicaKeys, in(region))
	}
	return c
}

// recordedConfiguration is MultiRegionConfiguration as CloudTrail records it.
type recordedConfiguration struct {
	MultiRegionKeyType string              `json:"multiRegionKeyType"`
	PrimaryKey         recordedRegionKey   `json:"primaryKey"`
	ReplicaKeys        []recordedRegionKey `json:"replicaKeys"`
}

type recordedRegionKey struct {
	Arn    string `json:"arn"`
	Region string `json:"region"`
}

func (c *multiRegionConfiguration) recorded() *recordedConfiguration {
	if c == nil {
		return nil
	}
	r := &recordedConfiguration{
		MultiRegionKeyType: c.MultiRegionKeyType, PrimaryKey: recordedRegionKey(c.PrimaryKey), ReplicaKeys: []recordedRegionKey{},
	}
	for _, k := range c.ReplicaKeys {
		r.ReplicaKeys = append(r.ReplicaKeys, recordedRegionKey(k))
	}
	return r
}
