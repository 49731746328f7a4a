package kms_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/state"
)

const day = 24 * time.Hour

// TestSteward lets days pass on a clock of its own, and minutes in a bubble of
// virtual time.
func TestSteward(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		first, arn := f.create(m{"Tags": []m{{"TagKey": "k", "TagValue": "v"}}, "Policy": `{"Statement":{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}}`})
		f.do("CreateAlias", m{"AliasName": "alias/a", "TargetKeyId": first})
		f.do("CreateAlias", m{"AliasName": "alias/b", "TargetKeyId": first})
		blob := f.encrypt(first, "x", nil)
		second, _ := f.create(m{})
		kept, _ := f.create(m{})
		f.do("ScheduleKeyDeletion", m{"KeyId": second, "PendingWindowInDays": 8})
		f.do("ScheduleKeyDeletion", m{"KeyId": first, "PendingWindowInDays": 7})
		f.do("ScheduleKeyDeletion", m{"KeyId": kept, "PendingWindowInDays": 7})
		f.do("CancelKeyDeletion", m{"KeyId": kept})

		stop := f.steward(7*day - 30*time.Second)
		time.Sleep(29 * time.Second)
		synctest.Wait()
		if n := len(f.names("ListKeys", m{}, "Keys", "KeyId")); n != 3 {
			t.Fatalf("before the window's end there are %d keys", n)
		}
		runs := f.node.Runs()
		time.Sleep(time.Second)
		synctest.Wait()
		if f.node.Runs() != runs+1 {
			t.Errorf("%d transactions deleted one key", f.node.Runs()-runs)
		}
		event := f.node.RawEvents(t)[len(f.node.RawEvents(t))-1]
		for _, part := range []string{`"eventName":"DeleteKey"`, `"eventType":"AwsServiceEvent"`, `"invokedBy":"AWS Internal"`,
			`"ARN":"` + arn + `"`, `"serviceEventDetails":{"keyId":"` + first + `"}`, `"requestParameters":null`} {
			if !strings.Contains(event, part) {
				t.Errorf("%s is not in %s", part, event)
			}
		}
		f.refuse("DescribeKey", m{"KeyId": first}, "NotFoundException: Key '"+arn+"' does not exist")
		f.refuse("DescribeKey", m{"KeyId": "alias/a"}, "NotFoundException: Alias "+aliasARN("alias/a")+" is not found.")
		f.refuse("Decrypt", m{"CiphertextBlob": blob}, "AccessDeniedException: The ciphertext refers to a customer master key that "+
			"does not exist, does not exist in this region, or you are not allowed to access.")
		f.noTrace(first)

		f.ahead.Add(int64(day)) // the clock is set while the steward rests
		time.Sleep(time.Minute)
		synctest.Wait()
		if keys := f.names("ListKeys", m{}, "Keys", "KeyId"); fmt.Sprint(keys) != fmt.Sprint([]string{kept}) {
			t.Errorf("the keys are %v", keys)
		}
		f.noTrace(second)
		stop()
	})
}

// TestStewardFails lets deletions fail, before and after they were committed:
// each key is deleted once.
func TestStewardFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t)
		for range 3 {
			id, _ := f.create(m{})
			f.do("ScheduleKeyDeletion", m{"KeyId": id, "PendingWindowInDays": 7})
		}
		failures := []error{errors.New("no quorum"), errors.New("unknown")}
		f.node.Fail = func() (before, after error) {
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
		stop := f.steward(30 * day) // nobody led meanwhile
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		deleted := 0
		for _, event := range f.node.Events(t) {
			if event.EventName == "DeleteKey" {
				deleted++
			}
		}
		if deleted != 3 || len(failures) != 0 {
			t.Errorf("%d keys were deleted, %d failures are left", deleted, len(failures))
		}
	})
}

// TestCancelBeatsTheSteward: what is cancelled while the steward deletes it
// stays, and what is then scheduled again stays for its new window.
func TestCancelBeatsTheSteward(t *testing.T) {
	for _, test := range []struct {
		operations []string
		state      string
	}{
		{[]string{"CancelKeyDeletion"}, "Disabled"},
		{[]string{"CancelKeyDeletion", "ScheduleKeyDeletion"}, "PendingDeletion"},
	} {
		bubble(t, func(t *testing.T) {
			f := newFixture(t)
			id, _ := f.create(m{})
			f.do("ScheduleKeyDeletion", m{"KeyId": id, "PendingWindowInDays": 7})
			f.node.Before = func() {
				f.node.Before = nil
				for _, operation := range test.operations {
					f.do(operation, m{"KeyId": id})
				}
			}
			stop := f.steward(7 * day)
			time.Sleep(time.Minute)
			synctest.Wait()
			stop()
			if got := f.do("DescribeKey", m{"KeyId": id}).object("KeyMetadata")["KeyState"]; got != test.state {
				t.Errorf("the key is %v", got)
			}
		})
	}
}

// bubble runs a test in virtual time. What lives as long as the process and uses
// channels, the compressor of batches, is made before, outside of it.
func bubble(t *testing.T, test func(t *testing.T)) {
	newFixture(t).create(m{})
	synctest.Test(t, test)
}

// steward runs the steward until stop is called, on a clock that is ahead of the
// fixture's.
func (f *fixture) steward(ahead time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(f.Context())
	done := make(chan error)
	f.ahead.Store(int64(ahead))
	base, began := f.now, time.Now()
	now := func() time.Time { return base.Add(time.Since(began) + time.Duration(f.ahead.Load())) }
	go func() { done <- f.service.Steward(ctx, f.node, now) }()
	return func() {
		f.Helper()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			f.Errorf("the steward ends with %v", err)
		}
	}
}

// noTrace looks for records that a deleted key has left.
func (f *fixture) noTrace(id string) {
	f.Helper()
	for _, table := range []string{state.Keys.Name, state.KeyMaterials.Name, state.Aliases.Name, state.KeyAliases.Name,
		state.KeyTags.Name, state.KeyPolicies.Name, state.Deletions.Name, state.Rotations.Name, state.Expirations.Name} {
		err := f.node.View().Scan(fsm.NewKey(table), "", func(key fsm.Key, rec *fsm.Record) (bool, error) {
			if strings.Contains(string(key), id) || strings.Contains(string(rec.Value), id) {
				f.Errorf("%q is left of key %s", key, id)
			}
			return true, nil
		})
		if err != nil {
			f.Fatal(err)
		}
	}
}
