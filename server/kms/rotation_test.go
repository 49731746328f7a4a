package kms_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/state"
)

// epoch is a time as responses write it.
func epoch(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }

func TestEnableAndDisableKeyRotation(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	status := func(want answer) {
		t.Helper()
		want["KeyId"] = id
		if got := f.do("GetKeyRotationStatus", m{"KeyId": id}); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	}
	status(answer{"KeyRotationEnabled": false})
	if got := f.do("EnableKeyRotation", m{"KeyId": id}); got != nil {
		t.Errorf("EnableKeyRotation answers %v", got)
	}
	if f.recorded(requestParameters) != `{"keyId":"`+id+`"}` || f.recorded(responseElements) != `{"keyId":"`+arn+`"}` || f.event().ReadOnly {
		t.Errorf("EnableKeyRotation records %+v", f.event())
	}
	yearly := answer{"KeyRotationEnabled": true, "RotationPeriodInDays": 365.0, "NextRotationDate": epoch(start.Add(365 * day))}
	status(yearly)
	f.now = start.Add(100 * day)
	f.do("EnableKeyRotation", m{"KeyId": arn, "RotationPeriodInDays": 365})
	status(yearly) // the same period does not begin anew
	f.do("EnableKeyRotation", m{"KeyId": id, "RotationPeriodInDays": 90})
	if f.recorded(requestParameters) != `{"keyId":"`+id+`","rotationPeriodInDays":90}` {
		t.Errorf("EnableKeyRotation records %+v", f.event())
	}
	quarterly := answer{"KeyRotationEnabled": true, "RotationPeriodInDays": 90.0, "NextRotationDate": epoch(start.Add(190 * day))}
	status(quarterly)
	f.do("DisableKey", m{"KeyId": id})
	status(quarterly)
	f.do("ScheduleKeyDeletion", m{"KeyId": id})
	status(answer{"KeyRotationEnabled": false})
	f.do("CancelKeyDeletion", m{"KeyId": id})
	status(quarterly)
	f.do("EnableKey", m{"KeyId": id})
	f.do("DisableKeyRotation", m{"KeyId": id})
	if f.recorded(requestParameters) != `{"keyId":"`+id+`"}` || f.recorded(responseElements) != `{"keyId":"`+arn+`"}` {
		t.Errorf("DisableKeyRotation records %+v", f.event())
	}
	status(answer{"KeyRotationEnabled": false})
	f.do("EnableKeyRotation", m{"KeyId": id, "RotationPeriodInDays": 2560})
	status(answer{"KeyRotationEnabled": true, "RotationPeriodInDays": 2560.0, "NextRotationDate": epoch(f.now.Add(2560 * day))})
	for days, bound := range map[int]string{89: "greater than or equal to 90", 2561: "less than or equal to 2560"} {
		f.refuse("EnableKeyRotation", m{"KeyId": id, "RotationPeriodInDays": days}, fmt.Sprintf("ValidationException: 1 validation error "+
			"detected: Value '%d' at 'rotationPeriodInDays' failed to satisfy constraint: Member must have value %s", days, bound))
	}
}

// TestRotateKeyOnDemand rotates a key as often as it can be: everything that was
// ever encrypted opens, and the automatic schedule does not move.
func TestRotateKeyOnDemand(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	f.do("EnableKeyRotation", m{"KeyId": id})
	schedule := fmt.Sprint(f.do("GetKeyRotationStatus", m{"KeyId": id}))
	current := func() string {
		return f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata").text("CurrentKeyMaterialId")
	}
	var blobs, keys, materials []string
	seal := func() {
		t.Helper()
		if slices.Contains(materials, current()) {
			t.Fatalf("material %s is current again", current())
		}
		materials = append(materials, current())
		blobs = append(blobs, f.encrypt(id, "secret", m{"a": "b"}))
		if got := f.recorded(additional); got != `{"keyMaterialId":"`+materials[len(materials)-1]+`"}` {
			t.Errorf("Encrypt records %s", got)
		}
		key := f.do("GenerateDataKey", m{"KeyId": id, "KeySpec": "AES_256"})
		if key.text("KeyMaterialId") != current() {
			t.Errorf("the data key is under %s", key.text("KeyMaterialId"))
		}
		keys = append(keys, key.text("CiphertextBlob"), key.text("Plaintext"))
	}
	seal()
	for i := range 25 {
		f.now = start.Add(time.Duration(i+1) * day)
		if got := f.do("RotateKeyOnDemand", m{"KeyId": id}); got.text("KeyId") != id {
			t.Errorf("RotateKeyOnDemand answers %v", got)
		}
		seal()
	}
	if got := f.do("GetKeyRotationStatus", m{"KeyId": id}); fmt.Sprint(got) != schedule {
		t.Errorf("the schedule has become %v", got)
	}
	f.refuse("RotateKeyOnDemand", m{"KeyId": id}, "LimitExceededException: The on-demand rotations limit has been reached for the given "+
		"keyId. No more on-demand rotations can be performed for this key: "+arn)
	for i, blob := range blobs {
		got := f.do("Decrypt", m{"CiphertextBlob": blob, "EncryptionContext": m{"a": "b"}})
		if string(got.bytes("Plaintext")) != "secret" || got.text("KeyMaterialId") != materials[i] {
			t.Errorf("ciphertext %d opens as %v", i, got)
		}
		if got := f.do("Decrypt", m{"CiphertextBlob": keys[2*i]}); got.text("Plaintext") != keys[2*i+1] {
			t.Errorf("data key %d opens as %v", i, got)
		}
	}
	moved := f.do("ReEncrypt", m{"CiphertextBlob": blobs[0], "SourceEncryptionContext": m{"a": "b"}, "DestinationKeyId": id})
	if moved.text("SourceKeyMaterialId") != materials[0] || moved.text("DestinationKeyMaterialId") != materials[25] {
		t.Errorf("ReEncrypt answers %v", moved)
	}
}

// TestRotateKeyOnDemandRecords: the call is on record when it is answered, the
// rotation soon after, once, whatever fails in between.
func TestRotateKeyOnDemandRecords(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		id, arn := f.create(m{})
		before := f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata").text("CurrentKeyMaterialId")
		f.do("RotateKeyOnDemand", m{"KeyId": arn})
		if e := f.event(); e.EventName != "RotateKeyOnDemand" || e.ReadOnly || f.recorded(requestParameters) != `{"keyId":"`+arn+`"}` ||
			f.recorded(responseElements) != `{"keyId":"`+arn+`"}` || f.resources() != "AWS::KMS::Key "+arn {
			t.Errorf("records %+v", e)
		}
		now := f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata").text("CurrentKeyMaterialId")
		failures := []error{errors.New("no quorum"), errors.New("unknown")}
		f.node.Fail = func() (error, error) {
			if len(failures) == 0 {
				return nil, nil
			}
			err := failures[0]
			failures = failures[1:]
			if len(failures) == 1 {
				return err, nil
			}
			return nil, err
		}
		stop := f.steward(-day) // a clock that is behind delays no record
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		events := f.serviceEvents("RotateKey")
		if len(events) != 1 || len(failures) != 0 {
			t.Fatalf("%d records of the rotation: %v", len(events), events)
		}
		for _, part := range []string{`"eventType":"AwsServiceEvent"`, `"invokedBy":"AWS Internal"`, `"ARN":"` + arn + `"`,
			`"serviceEventDetails":{"keyId":"` + id + `","rotationType":"ON_DEMAND","keyOrigin":"AWS_KMS","previousKeyMaterialId":"` +
				before + `","currentKeyMaterialId":"` + now + `"}`, `"eventTime":"2026-08-10T22:38:27Z"`} {
			if !strings.Contains(events[0], part) {
				t.Errorf("%s is not in %s", part, events[0])
			}
		}
	})
}

// serviceEvents answers the records of a service event.
func (f *fixture) serviceEvents(name string) (events []string) {
	for _, event := range f.node.RawEvents(f) {
		if strings.Contains(event, `"eventName":"`+name+`"`) && strings.Contains(event, `"eventType":"AwsServiceEvent"`) {
			events = append(events, event)
		}
	}
	return events
}

// rotations lists a key's rotations as "STATE type date".
func (f *fixture) rotations(request m) (list []string) {
	for _, entry := range f.do("ListKeyRotations", request).list("Rotations") {
		e := entry.(map[string]any)
		text := fmt.Sprint(e["KeyMaterialState"], " ", e["RotationType"])
		if date, ok := e["RotationDate"].(float64); ok {
			text += fmt.Sprintf(" day %.0f", time.UnixMilli(int64(date*1000)).Sub(start).Hours()/24)
		}
		list = append(list, text)
	}
	return list
}

func TestListKeyRotations(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	want := func(request m, want ...string) {
		t.Helper()
		request["KeyId"] = id
		if got := f.rotations(request); !slices.Equal(got, want) {
			t.Errorf("%v: got %q, want %q", request, got, want)
		}
	}
	want(m{})
	want(m{"IncludeKeyMaterial": "ROTATIONS_ONLY"})
	want(m{"IncludeKeyMaterial": "ALL_KEY_MATERIAL"}, "CURRENT <nil>")
	for i := range 12 { // more than one digit
		f.now = start.Add(time.Duration(i+1) * day)
		f.do("RotateKeyOnDemand", m{"KeyId": id})
	}
	all := f.rotations(m{"KeyId": id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"})
	if len(all) != 13 || all[0] != "NON_CURRENT <nil>" || all[1] != "NON_CURRENT ON_DEMAND day 1" || all[12] != "CURRENT ON_DEMAND day 12" {
		t.Errorf("all are %q", all)
	}
	want(m{}, all[1:]...)
	first := f.do("ListKeyRotations", m{"KeyId": arn, "Limit": 10})
	if first["Truncated"] != true || len(first.list("Rotations")) != 10 {
		t.Fatalf("the first page is %v", first)
	}
	if entry := first.list("Rotations")[0].(map[string]any); entry["KeyId"] != arn || len(entry["KeyMaterialId"].(string)) != 64 || len(entry) != 5 {
		t.Errorf("an entry is %v", entry)
	}
	f.do("RotateKeyOnDemand", m{"KeyId": id}) // between two pages
	want(m{"Limit": 10, "Marker": first["NextMarker"]}, "NON_CURRENT ON_DEMAND day 11", "NON_CURRENT ON_DEMAND day 12", "CURRENT ON_DEMAND day 12")
	f.refuse("ListKeyRotations", m{"KeyId": id, "Marker": "x"}, "InvalidMarkerException: Could not deserialize marker 'x'")
	f.do("ListKeyRotations", m{"KeyId": id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL", "Limit": 7})
	if f.recorded(requestParameters) != `{"includeKeyMaterial":"ALL_KEY_MATERIAL","keyId":"`+id+`","limit":7}` || !f.event().ReadOnly {
		t.Errorf("records %+v", f.event())
	}
}

// TestRotationOfOtherKeys: keys that cannot be rotated are refused as AWS refuses
// them, but first for their state.
func TestRotationOfOtherKeys(t *testing.T) {
	operations := []string{"EnableKeyRotation", "DisableKeyRotation", "GetKeyRotationStatus", "RotateKeyOnDemand", "ListKeyRotations"}
	for name, test := range map[string]struct {
		change func(*state.Key)
		want   string // of the operations that want has no other answer for
		except map[string]string
	}{
		"RSA":       {func(k *state.Key) { k.Spec = "RSA_2048" }, "UnsupportedOperationException", nil},
		"HMAC":      {func(k *state.Key) { k.Spec = "HMAC_256" }, "UnsupportedOperationException", nil},
		"key store": {func(k *state.Key) { k.Origin = "AWS_CLOUDHSM" }, "UnsupportedOperationException: %s origin is AWS_CLOUDHSM which is not valid for this operation.", nil},
		"imported": {func(k *state.Key) { k.Origin = "EXTERNAL" }, "UnsupportedOperationException: %s origin is EXTERNAL which is not valid for this operation.",
			map[string]string{"GetKeyRotationStatus": "", "ListKeyRotations": "",
				"RotateKeyOnDemand": "KMSInvalidStateException: No available key material pending rotation for the key: %s."}},
		"pending import": {func(k *state.Key) { k.Origin, k.State = "EXTERNAL", state.PendingImport },
			"UnsupportedOperationException: %s origin is EXTERNAL which is not valid for this operation.",
			map[string]string{"GetKeyRotationStatus": "", "ListKeyRotations": "", "RotateKeyOnDemand": "KMSInvalidStateException: %s is pending import."}},
		"disabled RSA": {func(k *state.Key) { k.Spec, k.State = "RSA_2048", state.Disabled }, "DisabledException: %s is disabled.",
			map[string]string{"GetKeyRotationStatus": "UnsupportedOperationException", "ListKeyRotations": "UnsupportedOperationException"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			id, arn := f.create(m{})
			f.edit(id, test.change)
			for _, operation := range operations {
				want := test.want
				if other, ok := test.except[operation]; ok {
					want = other
				}
				if want == "" {
					f.do(operation, m{"KeyId": id})
					continue
				}
				f.refuse(operation, m{"KeyId": id}, strings.ReplaceAll(want, "%s", arn))
			}
		})
	}
}

// TestRotateImportedMaterial rotates to what was imported for it.
func TestRotateImportedMaterial(t *testing.T) {
	f := newFixture(t)
	id, _ := f.create(m{})
	old := f.encrypt(id, "x", nil)
	f.edit(id, func(k *state.Key) { k.Origin, k.Imported = state.OriginExternal, true })
	wrapped, err := f.hsm.GenerateKey(t.Context(), 1, hsm.SymmetricDefault)
	if err != nil {
		t.Fatal(err)
	}
	pending := &state.KeyMaterial{ID: strings.Repeat("ab", 32), Wrapped: wrapped, Pending: true, ValidTo: start.Add(day).UnixMilli(), Description: "second"}
	f.write(func(tx *fsm.Txn) error {
		if err := state.Keys.Touch(tx, account, region, id); err != nil {
			return err
		}
		return state.KeyMaterials.Put(tx, pending, account, region, id, pending.ID)
	})
	all := m{"KeyId": id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}
	if got := f.rotations(all); !slices.Equal(got, []string{"CURRENT <nil>", "PENDING_ROTATION <nil>"}) {
		t.Errorf("before: %q", got)
	}
	f.do("RotateKeyOnDemand", m{"KeyId": id})
	if got := f.rotations(all); !slices.Equal(got, []string{"NON_CURRENT <nil>", "CURRENT ON_DEMAND day 0"}) {
		t.Errorf("after: %q", got)
	}
	entries := f.do("ListKeyRotations", all).list("Rotations")
	want := m{"KeyId": id, "KeyMaterialId": pending.ID, "KeyMaterialDescription": "second", "ImportState": "IMPORTED", "KeyMaterialState": "CURRENT",
		"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": epoch(start.Add(day)), "RotationDate": epoch(start), "RotationType": "ON_DEMAND"}
	if fmt.Sprint(entries[1]) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", entries[1], want)
	}
	if first := entries[0].(map[string]any); first["ExpirationModel"] != "KEY_MATERIAL_DOES_NOT_EXPIRE" || first["ImportState"] != "IMPORTED" {
		t.Errorf("the first is %v", first)
	}
	for _, blob := range []string{old, f.encrypt(id, "x", nil)} {
		if got := f.do("Decrypt", m{"CiphertextBlob": blob}); string(got.bytes("Plaintext")) != "x" {
			t.Errorf("Decrypt answers %v", got)
		}
	}
	if got := f.do("Decrypt", m{"CiphertextBlob": f.encrypt(id, "x", nil)}); got.text("KeyMaterialId") != pending.ID {
		t.Errorf("Encrypt uses %s", got.text("KeyMaterialId"))
	}
	f.refuse("RotateKeyOnDemand", m{"KeyId": id}, "KMSInvalidStateException: No available key material pending rotation for the key: "+keyARN(id)+".")
}
