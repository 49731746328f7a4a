package server_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server"
	"github.com/cofre-kms/cofre/server/call"
)

// TestVouched: an operation that needs no signature is recorded in the name of
// whom its request shows to call, and one that shows nobody is not recorded.
func TestVouched(t *testing.T) {
	var account string
	op := call.Bind("Login", true, decodeRequest, func(_ context.Context, _ *fsm.Txn, _ *call.Call, r *request) (*request, error) {
		return r, nil
	})
	op.Vouch = func(_ context.Context, _ fsm.View, r any) (*call.Principal, error) {
		switch r.(*request).Secret {
		case "good":
			return &call.Principal{Type: "WebIdentityUser", AccountID: account, PrincipalID: "p:a:s", UserName: "s", Provider: "p"}, nil
		case "broken":
			return nil, errors.New("broken")
		}
		return nil, call.Errorf("InvalidIdentityToken", "No.")
	}
	f := newFixture(t, func(c *server.Config) {
		c.Services = append(c.Services, server.Service{Name: "login", Protocol: server.JSON("Login"), Operations: []call.Operation{op}})
	})
	account = f.root.AccountID
	login := func(body string) *answer {
		r := httptest.NewRequest("POST", "https://example.com/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "Login.Login")
		return f.send(t, r)
	}
	for body, want := range map[string]struct {
		status int
		code   string
	}{
		`{"KeyID":"k","Secret":"bad"}`:    {400, "InvalidIdentityToken"},
		`{"KeyID":"k","Secret":"broken"}`: {500, "KMSInternalException"},
		`{}`:                              {400, "ValidationException"},
	} {
		if a := login(body); a.status != want.status || a.Type != want.code {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if events := f.node.Events(t); len(events) != 0 {
		t.Errorf("%d records", len(events))
	}
	if a := login(`{"KeyID":"k","Secret":"good"}`); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	event := f.last(t)
	who := event.UserIdentity
	if who.Type != "WebIdentityUser" || who.PrincipalID != "p:a:s" || who.IdentityProvider != "p" || who.UserName != "s" ||
		event.RecipientAccountID != account || event.AWSRegion != "us-east-1" {
		t.Errorf("recorded as %+v", event)
	}
}
