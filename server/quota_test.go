package server_test

import (
	"context"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/rate"
)

const throttling = `{"__type":"ThrottlingException","message":"You have exceeded the rate at which you may call KMS. ` +
	`Reduce the frequency of your calls."}`

// limited makes a fixture with quotas, and another account.
func limited(t *testing.T, rates map[string]float64) (f *fixture, second *identity.Credentials) {
	t.Helper()
	f = newFixture(t, func(c *server.Config) { c.Rates = rate.New(rates, c.Now) })
	second = f.account(t, func(tx *fsm.Txn) (*identity.Credentials, error) {
		return f.identity.CreateAccount(context.Background(), tx, "second")
	})
	return f, second
}

// served counts how many of n requests are answered; the others must be
// throttled, without a record.
func (f *fixture) served(t *testing.T, who *identity.Credentials, operation string, n int) (answered int) {
	t.Helper()
	before := len(f.node.RawEvents(t))
	for range n {
		a := f.send(t, f.sign(t, who, "TrentService."+operation, `{"KeyID":"k"}`))
		if a.status == 200 {
			answered++
		} else if a.status != 400 || a.body != throttling {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if records := len(f.node.RawEvents(t)) - before; records != answered {
		t.Errorf("%d answers left %d records", answered, records)
	}
	return answered
}

// TestRequestRates charges each account for each operation, and what an operation
// charges beside that.
func TestRequestRates(t *testing.T) {
	f, second := limited(t, map[string]float64{"Run": 4, "group": 2})
	f.run = func(_ context.Context, _ *fsm.Txn, c *call.Call, _ *request) (any, error) { return &request{}, nil }
	for _, step := range []struct {
		wait      time.Duration
		who       *identity.Credentials
		operation string
		want      int
	}{
		{0, f.root, "Run", 4}, {0, second, "Run", 4}, {0, f.root, "Run", 0}, {0, f.root, "Echo", 10},
		{500 * time.Millisecond, f.root, "Run", 2}, {time.Minute, f.root, "Run", 4},
	} {
		f.now = f.now.Add(step.wait)
		if got := f.served(t, step.who, step.operation, 10); got != step.want {
			t.Errorf("%d of 10 %s by %s are answered, want %d", got, step.operation, step.who.AccountName, step.want)
		}
	}
	f.now = f.now.Add(time.Minute)
	f.run = func(_ context.Context, _ *fsm.Txn, c *call.Call, _ *request) (any, error) {
		return &request{}, c.Charge("group")
	}
	if got := f.served(t, f.root, "Run", 10); got != 2 {
		t.Errorf("%d of 10 are answered, want 2", got)
	}
}

// TestARequestIsChargedOnce: however often it conflicts.
func TestARequestIsChargedOnce(t *testing.T) {
	f, _ := limited(t, map[string]float64{"Run": 2, "group": 2})
	conflicts := 0
	f.run = func(_ context.Context, tx *fsm.Txn, c *call.Call, _ *request) (any, error) {
		if _, err := tx.Get("test\x00hot"); err != nil {
			return nil, err
		}
		return &request{}, c.Charge("group")
	}
	f.node.Before = func() {
		if conflicts++; conflicts > 5 {
			return
		}
		before := f.node.Before
		f.node.Before = nil
		if _, err := f.node.Transact(context.Background(), "", func(tx *fsm.Txn) error {
			tx.Put("test\x00hot", []byte{byte(conflicts)})
			return nil
		}); err != nil {
			t.Error(err)
		}
		f.node.Before = before
	}
	if got := f.served(t, f.root, "Run", 3); got != 2 || conflicts < 6 {
		t.Errorf("%d of 3 are answered after %d conflicts, want 2", got, conflicts)
	}
}
