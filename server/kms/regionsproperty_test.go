package kms_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/state"
)

// TestRelatedKeysAgree does drawn things to a multi-Region key in three Regions
// while time passes. At every moment the related keys agree on what they share and
// on who belongs to them, and whatever was encrypted in one opens in all.
func TestRelatedKeysAgree(t *testing.T) {
	newFixture(t).create(m{}) // see bubble
	served := rapid.SampledFrom([]string{region, west, east})
	steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			operation: rapid.SampledFrom([]string{
				"ReplicateKey", "UpdatePrimaryRegion", "RotateKeyOnDemand", "EnableKeyRotation", "DisableKeyRotation", "Encrypt",
				"ScheduleKeyDeletion", "CancelKeyDeletion", "EnableKey", "DisableKey", "time",
			}).Draw(t, "operation"),
			in: served.Draw(t, "in"), other: served.Draw(t, "other"),
			passed: time.Duration(rapid.SampledFrom([]int{1, 8, 95}).Draw(t, "days")) * day,
		}
	}), 1, 30)
	rapid.Check(t, func(rt *rapid.T) {
		drawn := steps.Draw(rt, "steps")
		var failure error
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t)
			x := &relations{fixture: f, id: f.mrk(m{}, west)}
			for _, s := range drawn {
				if failure = errors.Join(x.take(s), x.check()); failure != nil {
					return
				}
			}
		})
		if failure != nil {
			rt.Fatal(failure)
		}
	})
}

// step is one thing that is done.
type step struct {
	operation string
	in, other string // Regions
	passed    time.Duration
}

type relations struct {
	*fixture
	id    string
	blobs []string
}

// take does one thing. The service may refuse it.
func (x *relations) take(s step) error {
	if s.operation == "time" {
		stop := x.steward(s.passed)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		stop()
		x.now = x.now.Add(s.passed)
		return nil
	}
	got, err := x.in(s.in).try(s.operation, encode(x, m{
		"KeyId": x.id, "ReplicaRegion": s.other, "PrimaryRegion": s.other, "RotationPeriodInDays": 90, "PendingWindowInDays": 7, "Plaintext": []byte("x"),
	}))
	if refusal := (*call.Error)(nil); errors.As(err, &refusal) && refusal.Status == 400 {
		return nil
	} else if err != nil {
		return fmt.Errorf("%s in %s: %w", s.operation, s.in, err)
	}
	if blob := got.text("CiphertextBlob"); blob != "" {
		x.blobs = append(x.blobs, blob)
	}
	return nil
}

// check holds the related keys against one another.
func (x *relations) check() error {
	var there []string
	shared := map[string]bool{}
	var belong []string
	for _, r := range []string{region, east, west} { // sorted
		k, _, err := state.Keys.Peek(x.node.View(), account, r, x.id)
		if err != nil || k == nil {
			if err != nil {
				return err
			}
			continue
		}
		there = append(there, r)
		belong = append([]string{k.PrimaryRegion()}, k.Replicas...)
		slices.Sort(belong)
		shared[fmt.Sprint(k.PrimaryRegion(), belong, k.RotationPeriod, k.NextRotation, k.OnDemandRotations, k.Rotations, k.MaterialID, x.materials(r))] = true
		if k.Replica() && k.State == state.PendingReplicaDeletion || !k.Replica() && k.State == state.PendingDeletion && len(k.Replicas) > 0 {
			return fmt.Errorf("in %s the key is %v", r, k.State)
		}
		for _, blob := range x.blobs {
			if k.State == state.Enabled {
				x.in(r).do("Decrypt", m{"CiphertextBlob": blob})
			}
		}
	}
	if len(shared) > 1 || !slices.Equal(there, belong) {
		return fmt.Errorf("the keys of %v know of %v and share %v", there, belong, shared)
	}
	return nil
}

// materials describes a key's materials.
func (x *relations) materials(r string) (all []string) {
	err := state.KeyMaterials.Scan(x.node.View(), []string{account, r, x.id}, nil, func(_ []string, found *state.KeyMaterial) (bool, error) {
		all = append(all, fmt.Sprintf("%+v", *found))
		return true, nil
	})
	if err != nil {
		x.Fatal(err)
	}
	return all
}
