package kms_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/server/call"
)

// TestRegionsConflict: what happens to one of the related keys while another one
// changes all of them is seen.
func TestRegionsConflict(t *testing.T) {
	for _, test := range []struct{ operation, other string }{
		{"ReplicateKey", "RotateKeyOnDemand"}, {"RotateKeyOnDemand", "ReplicateKey"}, {"ReplicateKey", "ReplicateKey"},
		{"RotateKeyOnDemand", "UpdatePrimaryRegion"}, {"EnableKeyRotation", "RotateKeyOnDemand"},
	} {
		f := newFixture(t)
		id := f.mrk(m{}, west)
		request := m{"KeyId": id, "ReplicaRegion": east, "PrimaryRegion": west}
		once := true
		f.node.Before = func() {
			if once {
				once = false
				f.do(test.other, request)
			}
		}
		_, err := f.try(test.operation, encode(t, request))
		if e := (*call.Error)(nil); err != nil && !errors.As(err, &e) {
			t.Errorf("%s and %s: %v", test.operation, test.other, err)
		}
		regions := []string{region, west}
		if strings.Contains(f.related(id, region), east) {
			regions = append(regions, east)
		}
		var keys []string
		for _, r := range regions {
			k := f.in(r).described(id)
			keys = append(keys, strings.TrimPrefix(strings.TrimPrefix(f.related(id, r), "PRIMARY"), "REPLICA")+fmt.Sprint(k["CurrentKeyMaterialId"],
				f.rotations(m{"KeyId": id}), f.do("GetKeyRotationStatus", m{"KeyId": id})))
			f.in(region)
		}
		if len(slices.Compact(keys)) != 1 {
			t.Errorf("%s and %s leave %q", test.operation, test.other, keys)
		}
	}
}

// TestReplicaBeatsDeletion: a primary key that gets a replica while its deletion
// is scheduled waits for that one.
func TestReplicaBeatsDeletion(t *testing.T) {
	f := newFixture(t)
	id := f.mrk(m{})
	f.node.Before = func() {
		f.node.Before = nil
		f.do("ReplicateKey", m{"KeyId": id, "ReplicaRegion": east})
	}
	if got := f.do("ScheduleKeyDeletion", m{"KeyId": id}); got["KeyState"] != "PendingReplicaDeletion" {
		t.Errorf("ScheduleKeyDeletion answers %v", got)
	}
}

// TestReplicaInUseWritesNothing: the use of one key disturbs no related one.
func TestReplicaInUseWritesNothing(t *testing.T) {
	f := newFixture(t)
	id := f.mrk(m{}, west)
	commits := f.begin("Encrypt", plaintext(f, id, ""))
	f.in(west).do("Encrypt", plaintext(f, id, ""))
	f.do("DisableKey", m{"KeyId": id})
	if !commits() {
		t.Error("a change of the replica's state conflicts with the use of the primary key")
	}
	commits = f.in(west).begin("DescribeKey", m{"KeyId": id})
	f.in(region).do("UpdateKeyDescription", m{"KeyId": id, "Description": "x"})
	if !commits() {
		t.Error("a change of the primary key's description conflicts with the replica")
	}
}

// TestPoliciesOfRegions: conditions ask for Regions, and a replica's own policy
// decides about the replica.
func TestPoliciesOfRegions(t *testing.T) {
	denying := func(action, condition string) string {
		return `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"},` +
			`{"Effect":"Deny","Principal":"*","Action":"kms:` + action + `","Resource":"*","Condition":` + condition + `}]}`
	}
	f := newFixture(t)
	refused := func(operation string, request m) {
		t.Helper()
		_, err := f.try(operation, encode(t, request))
		if e := (*call.Error)(nil); !errors.As(err, &e) || e.Code != "AccessDeniedException" {
			t.Errorf("%s %v: %v", operation, request, err)
		}
	}
	id := f.mrk(m{"Policy": denying("ReplicateKey", `{"StringEquals":{"kms:ReplicaRegion":"us-west-2"}}`)})
	refused("ReplicateKey", m{"KeyId": id, "ReplicaRegion": west})
	f.do("ReplicateKey", m{"KeyId": id, "ReplicaRegion": east, "Policy": denying("UpdatePrimaryRegion", `{"StringEquals":{"kms:PrimaryRegion":"us-east-1"}}`)})
	refused("UpdatePrimaryRegion", m{"KeyId": id, "PrimaryRegion": east})
	f.in(east).do("PutKeyPolicy", m{"KeyId": id, "Policy": denying("UpdatePrimaryRegion", `{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}`)})
	f.in(region)
	refused("UpdatePrimaryRegion", m{"KeyId": id, "PrimaryRegion": east})
	f.do("PutKeyPolicy", m{"KeyId": id, "Policy": denying("RotateKeyOnDemand", `{"StringEquals":{"kms:MultiRegionKeyType":"PRIMARY"}}`)})
	refused("RotateKeyOnDemand", m{"KeyId": id})
	f.do("PutKeyPolicy", m{"KeyId": id, "Policy": denying("EnableKeyRotation", `{"NumericGreaterThan":{"kms:RotationPeriodInDays":"200"}}`)})
	refused("EnableKeyRotation", m{"KeyId": id, "RotationPeriodInDays": 365})
	f.do("EnableKeyRotation", m{"KeyId": id, "RotationPeriodInDays": 100})

	// To replicate is also to create a key, in the other Region.
	other := f.mrk(m{})
	f.identityPolicy(admin(account), `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:CreateKey","Resource":"*",`+
		`"Condition":{"StringEquals":{"aws:RequestedRegion":"us-west-2"}}}}`)
	refused("ReplicateKey", m{"KeyId": other, "ReplicaRegion": west})
	if e := f.event(); e.EventName != "ReplicateKey" || e.AWSRegion != region || e.ErrorCode != "AccessDenied" {
		t.Errorf("records %+v", e)
	}
	f.do("ReplicateKey", m{"KeyId": other, "ReplicaRegion": east})
}

// TestGuardsOfRelatedKeys commits a change in one Region between an operation in
// another and its commit.
func TestGuardsOfRelatedKeys(t *testing.T) {
	for _, test := range []struct {
		in, operation, changeIn, change string
		commits                         bool
	}{
		{west, "Encrypt", region, "RotateKeyOnDemand", false},
		{west, "GetKeyRotationStatus", region, "EnableKeyRotation", false},
		{region, "DescribeKey", region, "ReplicateKey", false},
		{west, "DescribeKey", region, "ReplicateKey", false},
		{region, "ReplicateKey", west, "ScheduleKeyDeletion", false},
		{region, "UpdatePrimaryRegion", west, "DisableKey", false},
		{region, "RotateKeyOnDemand", west, "DisableKey", false},
		{region, "Encrypt", west, "DisableKey", true},
		{west, "Encrypt", region, "DisableKey", true},
		{west, "ListAliases", region, "UpdateKeyDescription", true},
	} {
		f := newFixture(t)
		id := f.mrk(m{}, west)
		request := m{"KeyId": id, "ReplicaRegion": east, "PrimaryRegion": west, "Plaintext": []byte("x"), "Description": "d"}
		commits := f.in(test.in).begin(test.operation, request)
		f.in(test.changeIn).do(test.change, request)
		if got := commits(); got != test.commits {
			t.Errorf("%s in %s and %s in %s: commits %v", test.operation, test.in, test.change, test.changeIn, got)
		}
	}
}
