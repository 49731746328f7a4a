package kms_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cofre-kms/cofre/hsm"
)

// TestMaterialExpires lets imported material expire: the key is pending import
// from then on, until the same is imported again.
func TestMaterialExpires(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		id, arn := f.external(hsm.SymmetricDefault)
		materialID := f.bring(id, symmetric(1), m{"ValidTo": start.Add(time.Hour).Unix()})
		blob := f.encrypt(id, "x", nil)
		kept, _ := f.external(hsm.SymmetricDefault)
		f.bring(kept, symmetric(1), m{"ValidTo": start.Add(time.Hour).Unix()})
		f.bring(kept, symmetric(1), never())
		gone, _ := f.external(hsm.SymmetricDefault)
		f.bring(gone, symmetric(1), m{"ValidTo": start.Add(time.Hour).Unix()})
		f.do("ScheduleKeyDeletion", m{"KeyId": gone, "PendingWindowInDays": 7})
		stop := f.steward(time.Hour - 10*time.Second)
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if k := f.described(id); k["KeyState"] != "Enabled" {
			t.Errorf("before its time the key is %v", k)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if k := f.described(id); k["KeyState"] != "PendingImport" || k["ValidTo"] != nil || k["CurrentKeyMaterialId"] != materialID {
			t.Errorf("the key is %v", k)
		}
		if f.described(kept)["KeyState"] != "Enabled" || f.described(gone)["KeyState"] != "PendingDeletion" || f.expirations() != 0 {
			t.Errorf("the others are %v and %v", f.described(kept), f.described(gone))
		}
		expired := 0
		for _, event := range f.node.RawEvents(t) {
			if !strings.Contains(event, `"eventName":"DeleteExpiredKeyMaterial"`) || !strings.Contains(event, id) {
				continue
			}
			expired++
			for _, part := range []string{`"eventType":"AwsServiceEvent"`, `"ARN":"` + arn + `"`, `"requestParameters":null`,
				`"serviceEventDetails":{"keyId":"` + id + `","keyMaterialId":"` + materialID + `"}`, `"readOnly":false`} {
				if !strings.Contains(event, part) {
					t.Errorf("%s is not in %s", part, event)
				}
			}
		}
		if expired != 1 {
			t.Errorf("%d records of the expiry", expired)
		}
		f.refuse("Decrypt", m{"CiphertextBlob": blob}, "KMSInvalidStateException: "+arn+" is pending import.")
		f.bring(id, symmetric(1), never())
		f.do("Decrypt", m{"CiphertextBlob": blob})
		stop()
	})
}

// TestDeletedKeysLeaveNoExpiry: the steward finds nothing of a key that is gone.
func TestDeletedKeysLeaveNoExpiry(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		id, _ := f.external(hsm.SymmetricDefault)
		f.bring(id, symmetric(1), m{"ValidTo": start.Add(200 * day).Unix()})
		f.bring(id, symmetric(2), m{"ValidTo": start.Add(100 * day).Unix(), "ImportType": "NEW_KEY_MATERIAL"})
		f.do("ScheduleKeyDeletion", m{"KeyId": id, "PendingWindowInDays": 7})
		stop := f.steward(7 * day)
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		f.noTrace(id)
	})
}

// TestImportBeatsTheSteward: material that is imported again while the steward
// deletes it stays.
func TestImportBeatsTheSteward(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		id, _ := f.external(hsm.SymmetricDefault)
		f.bring(id, symmetric(1), m{"ValidTo": start.Add(time.Hour).Unix()})
		w := f.wrapping(id, hsm.WrapSM2PKE, hsm.SM2)
		f.node.Before = func() {
			f.node.Before = nil
			f.do("ImportKeyMaterial", w.imports(f, id, symmetric(1), m{"ValidTo": start.Add(2 * time.Hour).Unix()}))
		}
		stop := f.steward(time.Hour)
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		if k := f.described(id); k["KeyState"] != "Enabled" {
			t.Errorf("the key is %v", k)
		}
	})
}
