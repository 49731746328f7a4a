package servertest

import (
	"context"
	"errors"
	"testing"

	"github.com/cofre-kms/cofre/fsm"
)

func put(key fsm.Key, value, event string) func(*fsm.Txn) error {
	return func(tx *fsm.Txn) error {
		if _, err := tx.Get(key); err != nil {
			return err
		}
		tx.Put(key, []byte(value))
		tx.SetEvent([]byte(event))
		return nil
	}
}

func TestConflictsRunAgain(t *testing.T) {
	n, ctx := New(t), context.Background()
	interfered := false
	n.Before = func() {
		if interfered {
			return
		}
		interfered = true
		if _, err := n.Transact(ctx, "", put("a\x00b", "other", `{"eventName":"other"}`)); err != nil {
			t.Error(err)
		}
	}
	index, err := n.Transact(ctx, "", put("a\x00b", "mine", `{"eventName":"mine"}`))
	if err != nil {
		t.Fatal(err)
	}
	if runs := n.Runs(); runs != 3 {
		t.Errorf("%d runs", runs)
	}
	rec, err := n.View().Get("a\x00b")
	if err != nil || rec == nil || string(rec.Value) != "mine" || uint64(rec.Rev) != index {
		t.Errorf("record is %+v, %v; committed at %d", rec, err, index)
	}
	if events := n.Events(t); len(events) != 2 || events[1].EventName != "mine" {
		t.Errorf("events are %+v", events)
	}
}

func TestFailures(t *testing.T) {
	failure := errors.New("failure")
	for _, test := range []struct {
		name          string
		before, after error
		events        int
	}{{"before", failure, nil, 0}, {"after", nil, failure, 1}} {
		t.Run(test.name, func(t *testing.T) {
			n := New(t)
			n.Fail = func() (error, error) { return test.before, test.after }
			if _, err := n.Transact(context.Background(), "", put("a", "b", "{}")); !errors.Is(err, failure) {
				t.Errorf("answer is %v", err)
			}
			if events := n.RawEvents(t); len(events) != test.events {
				t.Errorf("%d events", len(events))
			}
		})
	}
}
