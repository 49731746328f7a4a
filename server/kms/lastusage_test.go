package kms_test

import (
	"fmt"
	"testing"
	"time"
)

// lastUse answers what GetKeyLastUsage says of a key.
func (f *fixture) lastUse(id string) answer {
	f.Helper()
	return f.do("GetKeyLastUsage", m{"KeyId": id}).object("KeyLastUsage")
}

// usedBy fails unless the last use of a key is the call that was just made.
func (f *fixture) usedBy(operation string, ids ...string) {
	f.Helper()
	event := f.event()
	want := answer{"Operation": operation, "Timestamp": float64(f.now.UnixMilli()) / 1000,
		"CloudTrailEventId": event.EventID, "KmsRequestId": event.RequestID}
	for _, id := range ids {
		if got := f.lastUse(id); fmt.Sprint(got) != fmt.Sprint(want) {
			f.Errorf("after %s the last use of %s is %v, want %v", operation, id, got, want)
		}
	}
}

func TestGetKeyLastUsage(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	other, _ := f.create(m{})
	f.do("CreateAlias", m{"AliasName": "alias/a", "TargetKeyId": id})
	f.now = start.Add(time.Hour)

	got := f.do("GetKeyLastUsage", m{"KeyId": arn})
	want := answer{"KeyId": arn, "KeyLastUsage": m{}, "KeyCreationDate": 1786401507.123, "TrackingStartDate": 1786401507.123}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("of a key that was never used: %v", got)
	}
	if e := f.event(); !e.ReadOnly || e.ResponseElements != nil || f.recorded(requestParameters) != `{"keyId":"`+arn+`"}` ||
		f.resources() != "AWS::KMS::Key "+arn {
		t.Errorf("GetKeyLastUsage records %+v", e)
	}

	blob := f.encrypt("alias/a", "x", nil)
	f.usedBy("Encrypt", id)
	if got := f.lastUse(other); len(got) != 0 {
		t.Errorf("the other key was used: %v", got)
	}
	f.do("Decrypt", m{"CiphertextBlob": blob})
	f.usedBy("Decrypt", id)
	f.do("GenerateDataKey", dataKey(f, id, ""))
	f.usedBy("GenerateDataKey", id)
	f.do("GenerateDataKeyWithoutPlaintext", dataKey(f, id, ""))
	f.usedBy("GenerateDataKeyWithoutPlaintext", id)
	f.do("ReEncrypt", m{"CiphertextBlob": blob, "DestinationKeyId": other})
	f.usedBy("ReEncrypt", id, other)
	f.refuse("GetKeyLastUsage", m{"KeyId": "alias/a"}, "NotFoundException: Invalid keyId 'alias/a'")
	f.refuse("GetKeyLastUsage", m{"KeyId": absent}, "NotFoundException: Key '"+keyARN(absent)+"' does not exist")
}

// TestOnlySuccessCounts: what is refused, what only asks and what does not use the
// material leaves the last use as it was.
func TestOnlySuccessCounts(t *testing.T) {
	f := newFixture(t)
	id, arn := f.create(m{})
	blob := f.encrypt(id, "x", m{"a": "1"})
	before := fmt.Sprint(f.lastUse(id))
	f.now = start.Add(time.Hour)
	f.refuse("Decrypt", m{"CiphertextBlob": blob}, "InvalidCiphertextException")
	f.refuse("Encrypt", m{"KeyId": id, "Plaintext": []byte("x"), "DryRun": true},
		"DryRunOperationException: The request would have succeeded, but the DryRun option is set.")
	f.do("DescribeKey", m{"KeyId": id})
	f.do("DisableKey", m{"KeyId": id})
	f.refuse("Encrypt", m{"KeyId": id, "Plaintext": []byte("x")}, "DisabledException: "+arn+" is disabled.")
	f.do("EnableKey", m{"KeyId": id})
	if after := fmt.Sprint(f.lastUse(id)); after != before {
		t.Errorf("the last use was %s and is %s", before, after)
	}
}
