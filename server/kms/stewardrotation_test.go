package kms_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestAutomaticRotation lets years pass on the steward's clock.
func TestAutomaticRotation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		id, arn := f.create(m{})
		other, _ := f.create(m{})
		f.do("EnableKeyRotation", m{"KeyId": id, "RotationPeriodInDays": 100})
		first := f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata").text("CurrentKeyMaterialId")
		blobs := []string{f.encrypt(id, "x", nil)}
		stop := f.steward(100*day - 30*time.Second)
		time.Sleep(29 * time.Second)
		synctest.Wait()
		if got := f.rotations(m{"KeyId": id}); len(got) != 0 {
			t.Fatalf("before the period's end: %q", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		now := f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata").text("CurrentKeyMaterialId")
		events := f.serviceEvents("RotateKey")
		want := `"serviceEventDetails":{"keyId":"` + id + `","rotationType":"AUTOMATIC","keyOrigin":"AWS_KMS","previousKeyMaterialId":"` +
			first + `","currentKeyMaterialId":"` + now + `"}`
		if len(events) != 1 || !strings.Contains(events[0], want) || !strings.Contains(events[0], `"ARN":"`+arn+`"`) {
			t.Fatalf("records %v, want %s", events, want)
		}
		var dates []string
		for range 5 {
			blobs = append(blobs, f.encrypt(id, "x", nil))
			f.ahead.Add(int64(100 * day))
			time.Sleep(2 * time.Second) // a little late each time
			synctest.Wait()
			dates = f.rotations(m{"KeyId": id})
		}
		if !slices.Equal(dates[:5], []string{"NON_CURRENT AUTOMATIC day 100", "NON_CURRENT AUTOMATIC day 200", "NON_CURRENT AUTOMATIC day 300",
			"NON_CURRENT AUTOMATIC day 400", "NON_CURRENT AUTOMATIC day 500"}) || dates[5] != "CURRENT AUTOMATIC day 600" || len(dates) != 6 {
			t.Errorf("rotated %q", dates)
		}
		for _, blob := range blobs {
			f.do("Decrypt", m{"CiphertextBlob": blob})
		}
		if got := f.rotations(m{"KeyId": other}); len(got) != 0 {
			t.Errorf("a key without automatic rotation: %q", got)
		}
		f.do("DisableKeyRotation", m{"KeyId": id})
		f.ahead.Add(int64(1000 * day))
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		if got := f.rotations(m{"KeyId": id}); len(got) != 6 {
			t.Errorf("after DisableKeyRotation: %q", got)
		}
	})
}

// TestLateRotation: a key is rotated once for all the periods that were missed,
// because nobody led, because it was disabled or because it was to be deleted.
func TestLateRotation(t *testing.T) {
	for name, missed := range map[string]struct{ away, back []string }{
		"nobody led":       {},
		"disabled":         {[]string{"DisableKey"}, []string{"EnableKey"}},
		"pending deletion": {[]string{"ScheduleKeyDeletion"}, []string{"CancelKeyDeletion", "EnableKey"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFixture(t)
				id, _ := f.create(m{})
				f.do("EnableKeyRotation", m{"KeyId": id, "RotationPeriodInDays": 90})
				f.now = start.Add(80 * day)
				for _, operation := range missed.away {
					f.do(operation, m{"KeyId": id})
				}
				stop := f.steward(20 * day)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if got := f.rotations(m{"KeyId": id}); len(missed.away) > 0 && len(got) != 0 {
					t.Errorf("rotated while away: %q", got)
				}
				for _, operation := range missed.back {
					f.do(operation, m{"KeyId": id})
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				stop()
				if got := f.rotations(m{"KeyId": id}); !slices.Equal(got, []string{"CURRENT AUTOMATIC day 100"}) {
					t.Errorf("rotated %q", got)
				}
				next := f.do("GetKeyRotationStatus", m{"KeyId": id})["NextRotationDate"].(float64)
				if due := time.UnixMilli(int64(next * 1000)).Sub(start); due.Round(time.Hour) != 190*day {
					t.Errorf("the next rotation is due after %v", due)
				}
			})
		})
	}
}

// TestStewardRotatesOnce lets the partition and the commit fail, before and
// after it took effect.
func TestStewardRotatesOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		var ids []string
		for range 3 {
			id, _ := f.create(m{})
			f.do("EnableKeyRotation", m{"KeyId": id, "RotationPeriodInDays": 90})
			ids = append(ids, id)
		}
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
		broken := 3
		f.hsm.Fail = func() error {
			if broken == 0 {
				return nil
			}
			broken--
			return errors.New("the token is gone")
		}
		stop := f.steward(120 * day)
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		for _, id := range ids {
			if got := f.rotations(m{"KeyId": id}); !slices.Equal(got, []string{"CURRENT AUTOMATIC day 120"}) {
				t.Errorf("rotated %q", got)
			}
		}
		if n := len(f.serviceEvents("RotateKey")); n != 3 || len(failures) != 0 || broken != 0 {
			t.Errorf("%d records, failures left: %d, %d", n, len(failures), broken)
		}
	})
}

// TestDisableRotationBeatsTheSteward: what is turned off while the steward
// rotates is not rotated.
func TestDisableRotationBeatsTheSteward(t *testing.T) {
	for _, operation := range []string{"DisableKeyRotation", "DisableKey"} {
		bubble(t, func(t *testing.T) {
			f := newFixture(t)
			id, _ := f.create(m{})
			f.do("EnableKeyRotation", m{"KeyId": id, "RotationPeriodInDays": 90})
			f.node.Before = func() {
				f.node.Before = nil
				f.do(operation, m{"KeyId": id})
			}
			stop := f.steward(90 * day)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			stop()
			if got := f.rotations(m{"KeyId": id}); len(got) != 0 {
				t.Errorf("%s: rotated %q", operation, got)
			}
		})
	}
}
