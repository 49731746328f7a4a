package kms_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The Regions of the fixture beside the first, and one that is not served.
const west, east, nowhere = "us-west-2", "us-east-1", "ap-south-1"

// in makes the next calls go to a Region.
func (f *fixture) in(region string) *fixture {
	f.region = region
	return f
}

// mrk makes a multi-Region key with replicas and leaves the fixture in the
// primary key's Region.
func (f *fixture) mrk(request m, regions ...string) (id string) {
	f.Helper()
	request["MultiRegion"] = true
	id, _ = f.in(region).create(request)
	for _, r := range regions {
		f.do("ReplicateKey", m{"KeyId": id, "ReplicaRegion": r})
	}
	return id
}

func regionARN(region, id string) string {
	return strings.Replace(keyARN(id), "eu-central-1", region, 1)
}

// related answers a key's configuration as "TYPE primary [replicas]".
func (f *fixture) related(id, region string) string {
	f.Helper()
	before := f.region
	defer f.in(before)
	c := f.in(region).described(id).object("MultiRegionConfiguration")
	text := c.text("MultiRegionKeyType") + " " + c.object("PrimaryKey").text("Region")
	if arn := c.object("PrimaryKey").text("Arn"); arn != regionARN(c.object("PrimaryKey").text("Region"), id) {
		f.Errorf("the primary key is %s", arn)
	}
	for _, replica := range c.list("ReplicaKeys") {
		r := answer(replica.(map[string]any))
		text += " " + r.text("Region")
		if r.text("Arn") != regionARN(r.text("Region"), id) {
			f.Errorf("a replica is %v", r)
		}
	}
	return text
}

func TestReplicateKey(t *testing.T) {
	f := newFixture(t)
	id := f.mrk(m{"Description": "primary", "Tags": []m{{"TagKey": "k", "TagValue": "primary"}}})
	old := f.encrypt(id, "x", m{"a": "b"})
	f.do("RotateKeyOnDemand", m{"KeyId": id})
	f.do("EnableKeyRotation", m{"KeyId": id, "RotationPeriodInDays": 100})
	f.do("CreateAlias", m{"AliasName": "alias/a", "TargetKeyId": id})
	f.now = start.Add(day)
	policy := `{"Statement":{"Sid":"replica","Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}}`
	got := f.do("ReplicateKey", m{"KeyId": keyARN(id), "ReplicaRegion": west, "Policy": policy, "Description": "replica",
		"Tags": []m{{"TagKey": "k", "TagValue": "replica"}}})
	metadata := got.object("ReplicaKeyMetadata")
	if metadata["Arn"] != regionARN(west, id) || metadata["KeyId"] != id || metadata["KeyState"] != "Enabled" || metadata["Description"] != "replica" ||
		metadata["MultiRegion"] != true || metadata["CreationDate"] != epoch(f.now) || metadata["CurrentKeyMaterialId"] != f.described(id)["CurrentKeyMaterialId"] {
		t.Errorf("the replica is %v", metadata)
	}
	if got.text("ReplicaPolicy") != policy || fmt.Sprint(got["ReplicaTags"]) != fmt.Sprint([]m{{"TagKey": "k", "TagValue": "replica"}}) {
		t.Errorf("ReplicateKey answers %v", got)
	}
	f.do("ReplicateKey", m{"KeyId": id, "ReplicaRegion": east})
	for r, want := range map[string]string{
		region: "PRIMARY eu-central-1 us-east-1 us-west-2", west: "REPLICA eu-central-1 us-east-1 us-west-2", east: "REPLICA eu-central-1 us-east-1 us-west-2",
	} {
		if got := f.related(id, r); got != want {
			t.Errorf("in %s: %s", r, got)
		}
	}
	// Shared: the material, all of it, and the rotation. A ciphertext of one Region
	// opens in all others.
	primary, blobs := f.described(id), []string{old}
	for _, r := range []string{region, west, east} {
		blobs = append(blobs, f.in(r).encrypt(id, "x", m{"a": "b"}))
	}
	status, rotations := f.in(region).do("GetKeyRotationStatus", m{"KeyId": id}), f.do("ListKeyRotations", m{"KeyId": id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"})
	for _, r := range []string{region, west, east} {
		f.in(r)
		for _, blob := range blobs {
			if got := f.do("Decrypt", m{"CiphertextBlob": blob, "EncryptionContext": m{"a": "b"}}); got.text("KeyId") != regionARN(r, id) || string(got.bytes("Plaintext")) != "x" {
				t.Errorf("in %s Decrypt answers %v", r, got)
			}
		}
		for _, member := range []string{"KeySpec", "KeyUsage", "Origin", "CurrentKeyMaterialId", "KeyId"} {
			if got := f.described(id); got[member] != primary[member] {
				t.Errorf("in %s %s is %v", r, member, got[member])
			}
		}
		if got := f.do("GetKeyRotationStatus", m{"KeyId": id}); fmt.Sprint(got) != fmt.Sprint(status) {
			t.Errorf("in %s the rotation is %v, want %v", r, got, status)
		}
		if got := f.do("ListKeyRotations", m{"KeyId": id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}); fmt.Sprint(got) != fmt.Sprint(rotations) {
			t.Errorf("in %s the rotations are %v, want %v", r, got, rotations)
		}
	}
	// Independent: state, policy, aliases, tags and description.
	f.in(west).do("DisableKey", m{"KeyId": id})
	if f.in(region).described(id)["KeyState"] != "Enabled" || f.in(east).described(id)["KeyState"] != "Enabled" || f.described(id)["Description"] != "" {
		t.Errorf("the others are %v", f.described(id))
	}
	if list := f.in(west).do("ListAliases", m{"KeyId": id}).list("Aliases"); len(list) != 0 {
		t.Errorf("aliases %v", list)
	}
	if list := f.do("ListResourceTags", m{"KeyId": id}).list("Tags"); fmt.Sprint(list) != fmt.Sprint([]m{{"TagKey": "k", "TagValue": "replica"}}) {
		t.Errorf("tags %v", list)
	}
	if text := f.do("GetKeyPolicy", m{"KeyId": id}).text("Policy"); text != policy {
		t.Errorf("policy %s", text)
	}
	if text := f.in(east).do("GetKeyPolicy", m{"KeyId": id}).text("Policy"); !strings.Contains(text, "Enable IAM User Permissions") {
		t.Errorf("policy %s", text)
	}
	if names := f.names("ListKeys", m{}, "Keys", "KeyArn"); !slices.Equal(names, []string{regionARN(east, id)}) {
		t.Errorf("keys %v", names)
	}
}

func TestReplicateKeyRefusals(t *testing.T) {
	f := newFixture(t)
	id := f.mrk(m{}, west)
	single, arn := f.create(m{})
	f.refuse("ReplicateKey", m{"KeyId": single, "ReplicaRegion": west}, "UnsupportedOperationException: "+arn+" is not a multi-Region primary key.")
	for _, r := range []string{region, west} {
		f.refuse("ReplicateKey", m{"KeyId": id, "ReplicaRegion": r}, "AlreadyExistsException: Key "+regionARN(r, id)+" already exists.")
	}
	f.refuse("ReplicateKey", m{"KeyId": id, "ReplicaRegion": nowhere}, "UnsupportedOperationException: The Region ap-south-1 is not served.")
	f.refuse("ReplicateKey", m{"KeyId": id, "ReplicaRegion": "x"}, "ValidationException: 1 validation error detected: Value 'x' at 'replicaRegion' "+
		"failed to satisfy constraint: Member must satisfy regular expression pattern: ^([a-z]+-){2,3}\\d+$")
	f.refuse("ReplicateKey", m{"KeyId": id, "ReplicaRegion": east, "Policy": "{}"}, malformed+"Syntax errors in policy. (Statement is neither a statement nor a list of them)")
	f.refuse("ReplicateKey", m{"KeyId": id, "ReplicaRegion": east, "Tags": []m{{"TagKey": "aws:x", "TagValue": ""}}}, "TagException: Tags beginning with aws: are reserved")
	f.in(west)
	notPrimary := "UnsupportedOperationException: " + regionARN(west, id) + " is not a multi-Region primary key."
	f.refuse("ReplicateKey", m{"KeyId": id, "ReplicaRegion": east}, notPrimary)
	f.refuse("UpdatePrimaryRegion", m{"KeyId": id, "PrimaryRegion": west}, notPrimary)
	for _, operation := range []string{"EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand"} {
		f.refuse(operation, m{"KeyId": id}, notPrimary)
	}
	f.refuse("DescribeKey", m{"KeyId": keyARN(id)}, "NotFoundException: Invalid arn eu-central-1")
	if got := f.related(id, region); got != "PRIMARY eu-central-1 us-west-2" {
		t.Errorf("refusals left %s", got)
	}
	blob := f.in(west).encrypt(id, "x", nil)
	f.in(east).refuse("Decrypt", m{"CiphertextBlob": blob},
		"AccessDeniedException: The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
}

// TestReplicasOfAllSpecs: keys of every kind can be used in both Regions.
func TestReplicasOfAllSpecs(t *testing.T) {
	f := newFixture(t)
	id := f.mrk(m{"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}, west)
	mac := f.do("GenerateMac", m{"KeyId": id, "Message": []byte("x"), "MacAlgorithm": "HMAC_SHA_256"}).text("Mac")
	f.in(west).do("VerifyMac", m{"KeyId": id, "Message": []byte("x"), "MacAlgorithm": "HMAC_SHA_256", "Mac": mac})
	id = f.mrk(m{"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}, west)
	public := f.do("GetPublicKey", m{"KeyId": id}).text("PublicKey")
	if got := f.in(west).do("GetPublicKey", m{"KeyId": id}).text("PublicKey"); got != public {
		t.Errorf("public keys %s and %s", public, got)
	}
}

// TestSynchronization changes what related keys share, and looks at once.
func TestSynchronization(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		id := f.mrk(m{}, west, east)
		same := func() {
			t.Helper()
			status := fmt.Sprint(f.in(region).do("GetKeyRotationStatus", m{"KeyId": id}), f.rotations(m{"KeyId": id}), f.described(id)["CurrentKeyMaterialId"])
			for _, r := range []string{west, east} {
				if got := fmt.Sprint(f.in(r).do("GetKeyRotationStatus", m{"KeyId": id}), f.rotations(m{"KeyId": id}), f.described(id)["CurrentKeyMaterialId"]); got != status {
					t.Errorf("in %s: %s, want %s", r, got, status)
				}
			}
			f.in(region)
		}
		f.do("EnableKeyRotation", m{"KeyId": id, "RotationPeriodInDays": 100})
		same()
		f.do("RotateKeyOnDemand", m{"KeyId": id})
		same()
		f.in(west).do("DisableKey", m{"KeyId": id}) // what is disabled is rotated with its primary key
		f.do("EnableKey", m{"KeyId": id})
		f.do("DisableKey", m{"KeyId": id})
		stop := f.steward(100 * day)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		stop()
		same()
		if got := f.rotations(m{"KeyId": id}); !slices.Equal(got, []string{"NON_CURRENT ON_DEMAND day 0", "CURRENT AUTOMATIC day 100"}) {
			t.Errorf("rotated %q", got)
		}
		f.do("DisableKeyRotation", m{"KeyId": id})
		same()
		if n := len(f.serviceEvents("RotateKey")); n != 2 {
			t.Errorf("%d records of two rotations", n)
		}
		stop = f.steward(100 * day)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		stop()
		events := f.serviceEvents("SynchronizeMultiRegionKey")
		if len(events) != 4 || !strings.Contains(events[0], `"responseElements":{"keyId":"`+keyARN(id)+`"}`) || !strings.Contains(events[0], `"awsRegion":"eu-central-1"`) {
			t.Errorf("records %v", events)
		}
	})
}

func TestReplicateKeyRecords(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		id := f.mrk(m{}, west)
		e := f.event()
		if e.EventName != "ReplicateKey" || e.ReadOnly || e.AWSRegion != region || f.resources() != "AWS::KMS::Key "+keyARN(id) ||
			f.recorded(requestParameters) != `{"bypassPolicyLockoutSafetyCheck":false,"description":"","keyId":"`+id+`","replicaRegion":"us-west-2"}` {
			t.Errorf("records %+v", e)
		}
		elements := f.recorded(responseElements)
		for _, part := range []string{`"replicaKeyMetadata":{`, `"arn":"` + regionARN(west, id) + `"`, `"replicaPolicy":"{`, `"replicaTags":[]`,
			`"multiRegionConfiguration":{"multiRegionKeyType":"REPLICA","primaryKey":{"arn":"` + keyARN(id) + `","region":"eu-central-1"},` +
				`"replicaKeys":[{"arn":"` + regionARN(west, id) + `","region":"us-west-2"}]}`} {
			if !strings.Contains(elements, part) {
				t.Errorf("%s is not in %s", part, elements)
			}
		}
		f.do("UpdatePrimaryRegion", m{"KeyId": id, "PrimaryRegion": west})
		if e := f.event(); e.AWSRegion != region || f.resources() != "AWS::KMS::Key "+keyARN(id) || f.recorded(responseElements) != `{"keyId":"`+keyARN(id)+`"}` ||
			f.recorded(requestParameters) != `{"keyId":"`+id+`","primaryRegion":"us-west-2"}` {
			t.Errorf("records %+v", e)
		}
		stop := f.steward(0)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		stop()
		for name, parts := range map[string][]string{
			"CreateKey": {`"invokedBy":"AWS Internal"`, `"keyMetadata":{`},
			"UpdatePrimaryRegion": {`"invokedBy":"kms.amazonaws.com"`, `"requestParameters":{"keyId":"` + id + `","primaryRegion":"us-west-2"}`,
				`"responseElements":{"keyId":"` + regionARN(west, id) + `"}`},
		} {
			events := f.serviceEvents(name)
			if len(events) != 1 {
				t.Fatalf("%d records of %s in the other Region", len(events), name)
			}
			for _, part := range append(parts, `"awsRegion":"us-west-2"`, `"ARN":"`+regionARN(west, id)+`"`) {
				if !strings.Contains(events[0], part) {
					t.Errorf("%s is not in %s", part, events[0])
				}
			}
		}
	})
}

func TestUpdatePrimaryRegion(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		id := f.mrk(m{}, west, east)
		f.do("EnableKeyRotation", m{"KeyId": id, "RotationPeriodInDays": 100})
		for _, r := range []string{region, nowhere} {
			f.refuse("UpdatePrimaryRegion", m{"KeyId": id, "PrimaryRegion": r}, "NotFoundException: Key '"+regionARN(r, id)+"' does not exist")
		}
		f.in(west).do("DisableKey", m{"KeyId": id})
		f.in(region).refuse("UpdatePrimaryRegion", m{"KeyId": id, "PrimaryRegion": west}, "DisabledException: "+regionARN(west, id)+" is disabled.")
		f.in(west).do("EnableKey", m{"KeyId": id})
		if got := f.in(region).do("UpdatePrimaryRegion", m{"KeyId": id, "PrimaryRegion": west}); got != nil {
			t.Errorf("UpdatePrimaryRegion answers %v", got)
		}
		for r, want := range map[string]string{
			region: "REPLICA us-west-2 eu-central-1 us-east-1", west: "PRIMARY us-west-2 eu-central-1 us-east-1", east: "REPLICA us-west-2 eu-central-1 us-east-1",
		} {
			if got := f.related(id, r); got != want {
				t.Errorf("in %s: %s", r, got)
			}
		}
		stop := f.steward(100 * day)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		stop()
		if events := f.serviceEvents("RotateKey"); len(events) != 1 || !strings.Contains(events[0], regionARN(west, id)) {
			t.Errorf("the rotation is recorded as %v", events)
		}
		f.refuse("RotateKeyOnDemand", m{"KeyId": id}, "UnsupportedOperationException: "+keyARN(id)+" is not a multi-Region primary key.")
		f.in(west).do("RotateKeyOnDemand", m{"KeyId": id})
		blob := f.encrypt(id, "x", nil)
		f.in(region).do("Decrypt", m{"CiphertextBlob": blob})
	})
}

// TestDeleteRelatedKeys deletes a primary key that has replicas: its window
// begins when the last of them is gone.
func TestDeleteRelatedKeys(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		id := f.mrk(m{}, west, east)
		f.do("EnableKeyRotation", m{"KeyId": id})
		blob := f.encrypt(id, "x", nil)
		got := f.do("ScheduleKeyDeletion", m{"KeyId": id, "PendingWindowInDays": 9})
		if want := (answer{"KeyId": keyARN(id), "KeyState": "PendingReplicaDeletion", "PendingWindowInDays": 9.0}); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("ScheduleKeyDeletion answers %v", got)
		}
		if got := f.recorded(responseElements); got != `{"keyId":"`+keyARN(id)+`","keyState":"PendingReplicaDeletion","pendingWindowInDays":9}` {
			t.Errorf("records %s", got)
		}
		if k := f.described(id); k["KeyState"] != "PendingReplicaDeletion" || k["PendingDeletionWindowInDays"] != 9.0 || k["DeletionDate"] != nil || k["Enabled"] != false {
			t.Errorf("the key is %v", k)
		}
		pending := "KMSInvalidStateException: " + keyARN(id) + " is pending replica deletion."
		for operation, request := range map[string]m{
			"Decrypt": {"CiphertextBlob": blob}, "ReplicateKey": {"KeyId": id, "ReplicaRegion": east}, "ScheduleKeyDeletion": {"KeyId": id},
			"UpdatePrimaryRegion": {"KeyId": id, "PrimaryRegion": west}, "EnableKey": {"KeyId": id},
		} {
			f.refuse(operation, request, pending)
		}
		if got := f.do("GetKeyRotationStatus", m{"KeyId": id}); got["KeyRotationEnabled"] != false {
			t.Errorf("the rotation is %v", got)
		}
		f.do("CancelKeyDeletion", m{"KeyId": id})
		if k := f.described(id); k["KeyState"] != "Disabled" || k["PendingDeletionWindowInDays"] != nil {
			t.Errorf("the key is %v", k)
		}
		f.do("ScheduleKeyDeletion", m{"KeyId": id, "PendingWindowInDays": 9})

		f.in(west).do("ScheduleKeyDeletion", m{"KeyId": id, "PendingWindowInDays": 7})
		stop := f.steward(7 * day)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := f.related(id, east); got != "REPLICA eu-central-1 us-east-1" {
			t.Errorf("after the first replica: %s", got)
		}
		if state := f.in(region).described(id)["KeyState"]; state != "PendingReplicaDeletion" {
			t.Errorf("after the first replica the key is %v", state)
		}
		f.in(east).do("Decrypt", m{"CiphertextBlob": blob})
		f.in(east).do("ScheduleKeyDeletion", m{"KeyId": id, "PendingWindowInDays": 8})
		f.ahead.Store(int64(8 * day))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		k := f.in(region).described(id)
		due := time.UnixMilli(int64(k["DeletionDate"].(float64) * 1000)).Sub(start)
		if k["KeyState"] != "PendingDeletion" || k["PendingDeletionWindowInDays"] != nil || due.Round(time.Hour) != 17*day {
			t.Errorf("after the last replica the key is %v", k)
		}
		if got := f.related(id, region); got != "PRIMARY eu-central-1" {
			t.Errorf("after the last replica: %s", got)
		}
		f.ahead.Store(int64(18 * day))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		stop()
		f.noTrace(id)
		if n := len(f.serviceEvents("DeleteKey")); n != 3 {
			t.Errorf("%d records of three deletions", n)
		}
	})
}

// TestReplicaAgain: where a replica was deleted, there can be another, with all
// of the material.
func TestReplicaAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		id := f.mrk(m{}, west)
		blob := f.in(west).encrypt(id, "x", nil)
		f.do("ScheduleKeyDeletion", m{"KeyId": id, "PendingWindowInDays": 7})
		stop := f.steward(7 * day)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		stop()
		f.in(region).do("Decrypt", m{"CiphertextBlob": blob})
		f.do("ReplicateKey", m{"KeyId": id, "ReplicaRegion": west})
		f.in(west).do("Decrypt", m{"CiphertextBlob": blob})
	})
}
