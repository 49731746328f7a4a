package kms_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cofre-kms/cofre/server/call"
)

// pages lists to the end with a limit, and calls between after each page.
func (f *fixture) pages(operation string, request m, limit int, between func()) (ids []string) {
	f.Helper()
	request["Limit"] = limit
	for {
		got := f.do(operation, request)
		list := got.list("Grants")
		for _, g := range list {
			ids = append(ids, g.(map[string]any)["GrantId"].(string))
		}
		if got["Truncated"] != true {
			if got["NextMarker"] != nil {
				f.Errorf("the last page has a marker: %v", got)
			}
			return ids
		}
		if len(list) != limit {
			f.Errorf("a page of %d has %d", limit, len(list))
		}
		request["Marker"] = got["NextMarker"]
		between()
	}
}

// TestListGrantsPages: markers stay good while grants before and after them come
// and go.
func TestListGrantsPages(t *testing.T) {
	f := newFixture(t)
	ann, bob := f.user(foreign, "ann"), f.user(account, "bob")
	id, _ := f.create(m{})
	var all, ofBob []string
	for i := range 9 {
		to := ann
		if i%3 == 0 {
			to = bob
		}
		grantID, _ := f.grant(id, to, m{"RetiringPrincipal": bob.ARN}, "Decrypt", "Encrypt")
		all = append(all, grantID)
		if to == bob {
			ofBob = append(ofBob, grantID)
		}
	}
	slices.Sort(all)
	slices.Sort(ofBob)
	nothing := func() {}
	for limit := 1; limit <= 10; limit++ {
		if got := f.pages("ListGrants", m{"KeyId": id}, limit, nothing); !slices.Equal(got, all) {
			t.Errorf("by %d: %v, want %v", limit, got, all)
		}
		if got := f.pages("ListGrants", m{"KeyId": id, "GranteePrincipal": bob.ARN}, limit, nothing); !slices.Equal(got, ofBob) {
			t.Errorf("of one grantee by %d: %v, want %v", limit, got, ofBob)
		}
		f.allow(bob, "kms:ListRetirableGrants")
		f.as(bob, func() {
			got := f.pages("ListRetirableGrants", m{"RetiringPrincipal": bob.ARN}, limit, nothing)
			slices.Sort(got)
			if !slices.Equal(got, all) {
				t.Errorf("retirable by %d: %v, want %v", limit, got, all)
			}
		})
	}
	first := true
	got := f.pages("ListGrants", m{"KeyId": id}, 4, func() {
		if first { // the marker's own grant, and one that is still to come
			f.do("RevokeGrant", m{"KeyId": id, "GrantId": all[3]})
			f.do("RevokeGrant", m{"KeyId": id, "GrantId": all[5]})
			first = false
		}
	})
	if want := slices.Delete(slices.Clone(all), 5, 6); !slices.Equal(got, want) {
		t.Errorf("with deletions %v, want %v", got, want)
	}
	other, _ := f.create(m{})
	marker := f.do("ListGrants", m{"KeyId": id, "Limit": 1}).text("NextMarker")
	f.refuse("ListGrants", m{"KeyId": other, "Marker": marker}, "InvalidMarkerException: Could not deserialize marker '"+marker+"'")
	f.refuse("ListRetirableGrants", m{"RetiringPrincipal": bob.ARN, "Marker": marker}, "InvalidMarkerException: Could not deserialize marker '"+marker+"'")
}

// TestListRetirableGrants lists grants of keys of several accounts, of one
// Region, to the principal's own account.
func TestListRetirableGrants(t *testing.T) {
	f := newFixture(t)
	ann, bob := f.user(account, "ann"), f.user(foreign, "bob")
	retire := m{"RetiringPrincipal": ann.ARN}
	var want []string
	for _, place := range [][2]string{{account, region}, {account, region}, {foreign, region}, {account, "us-west-2"}} {
		f.account, f.region = place[0], place[1]
		id, _ := f.create(m{})
		grantID, _ := f.grant(id, bob, retire, "Decrypt")
		f.grant(id, ann, m{"RetiringPrincipal": bob.ARN}, "Decrypt")
		if place[1] == region {
			want = append(want, grantID)
		}
	}
	f.account, f.region = account, region
	slices.Sort(want)
	got := f.pages("ListRetirableGrants", m{"RetiringPrincipal": ann.ARN}, 1, func() {})
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if f.event().Resources != nil || !strings.Contains(f.recorded(requestParameters), `"retiringPrincipal":"`+ann.ARN+`"`) {
		t.Errorf("records %+v", f.event())
	}
	f.as(bob, func() {
		f.refuse("ListRetirableGrants", m{"RetiringPrincipal": ann.ARN}, denied(bob, "ListRetirableGrants"))
	})
	either := "ValidationException: You must specify either RetiringPrincipal or RetiringServicePrincipal, but not both."
	f.refuse("ListRetirableGrants", m{}, either)
	f.refuse("ListRetirableGrants", m{"RetiringPrincipal": ann.ARN, "RetiringServicePrincipal": "x"}, either)
	admin := &call.Principal{ARN: "arn:aws:iam::" + account + ":user/admin"}
	f.refuse("ListRetirableGrants", m{"RetiringServicePrincipal": "ec2.amazonaws.com"}, denied(admin, "ListRetirableGrants"))
	f.refuse("ListRetirableGrants", m{"RetiringPrincipal": "arn:aws:iam::" + account + ":user/x"},
		"InvalidArnException: ARN does not refer to a valid principal: arn:aws:iam::"+account+":user/x")
}

// TestGrantsGoWithTheirKey deletes a key that has more grants than the steward
// removes at once.
func TestGrantsGoWithTheirKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		ann := f.user(foreign, "ann")
		id, arn := f.create(m{})
		kept, _ := f.create(m{})
		for i := range 150 {
			f.grant(id, ann, m{"RetiringPrincipal": ann.ARN, "Name": fmt.Sprint(i)}, "Decrypt", "DescribeKey")
		}
		f.grant(kept, ann, m{"RetiringPrincipal": ann.ARN}, "Decrypt")
		f.do("ScheduleKeyDeletion", m{"KeyId": id, "PendingWindowInDays": 7})
		f.as(ann, func() { f.do("DescribeKey", m{"KeyId": arn}) })
		stop := f.steward(7 * day)
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		f.noTrace(id)
		f.noGrants(id)
		f.checkGrants(kept)
		f.allow(ann, "kms:ListRetirableGrants")
		f.as(ann, func() {
			f.refuse("DescribeKey", m{"KeyId": arn}, denied(ann, "DescribeKey"))
			if list := f.do("ListRetirableGrants", m{"RetiringPrincipal": ann.ARN}).list("Grants"); len(list) != 1 {
				t.Errorf("retirable are %v", list)
			}
		})
	})
}
