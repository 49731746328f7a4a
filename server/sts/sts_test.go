package sts_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/authz"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/iam"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/oidc"
	"github.com/cofre-kms/cofre/server/query"
	"github.com/cofre-kms/cofre/server/record"
	"github.com/cofre-kms/cofre/server/servertest"
	"github.com/cofre-kms/cofre/server/sts"
)

// fixture is the service on a cluster of one.
type fixture struct {
	node     *servertest.Node
	identity *identity.Service
	root     *identity.Credentials
	service  *sts.Service
	iam      *iam.Service
	caller   call.Principal
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{node: servertest.New(t), identity: identity.New(identity.Config{HSM: servertest.NewHSM(t)})}
	access := authz.New()
	f.service = sts.New(sts.Config{Sessions: f.identity, Access: access, Tokens: oidc.New(nil)})
	f.iam = iam.New(iam.Config{Keys: f.identity, Access: access})
	if _, err := f.node.Transact(t.Context(), "", func(tx *fsm.Txn) (err error) {
		f.root, err = f.identity.Genesis(t.Context(), tx, 1, "operators")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.node.Transact(t.Context(), "", func(tx *fsm.Txn) error {
		p, _, err := f.identity.Authenticate(tx, f.root.AccessKeyID)
		if err == nil {
			f.caller = *p
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return f
}

// do calls an operation with a form and answers the body of its answer.
func (f *fixture) do(t *testing.T, operation, form string) (string, error) {
	t.Helper()
	return f.call(t, "sts", sts.Namespace, f.service.Operations(), operation, form)
}

// call calls an operation of a service, after who vouches for it where that is
// what it needs.
func (f *fixture) call(t *testing.T, service, namespace string, table []call.Operation, operation, form string) (string, error) {
	t.Helper()
	for _, op := range table {
		if op.Name != operation {
			continue
		}
		request, err := op.Decode([]byte(form))
		if err != nil {
			return "", err
		}
		c := &call.Call{Service: service, RequestID: "r", EventID: "e", Time: time.Now(), Region: "us-east-1", Principal: f.caller}
		if op.Vouch != nil {
			who, err := op.Vouch(t.Context(), f.node.View(), request)
			if err != nil {
				return "", err
			}
			c.Principal = *who
		}
		var response any
		var refusal *call.Error
		if _, err := f.node.Transact(context.Background(), "", func(tx *fsm.Txn) (err error) {
			response, refusal, err = record.Perform(t.Context(), tx, c, &op, request)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if refusal != nil {
			return "", refusal
		}
		var out bytes.Buffer
		if err := query.Response(&out, namespace, operation, "r", response); err != nil {
			t.Fatal(err)
		}
		return out.String(), nil
	}
	t.Fatalf("there is no operation %s", operation)
	return "", nil
}

func TestGetCallerIdentity(t *testing.T) {
	f := newFixture(t)
	got, err := f.do(t, "GetCallerIdentity", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<Arn>" + f.root.UserARN + "</Arn>", "<UserId>" + f.caller.PrincipalID + "</UserId>", "<Account>" + f.root.AccountID + "</Account>",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

func TestGetAccessKeyInfo(t *testing.T) {
	f := newFixture(t)
	got, err := f.do(t, "GetAccessKeyInfo", "AccessKeyId="+f.root.AccessKeyID)
	if err != nil || !strings.Contains(got, "<Account>"+f.root.AccountID+"</Account>") {
		t.Errorf("%s, %v", got, err)
	}
	for form, want := range map[string]string{
		"AccessKeyId=AKIAAAAAAAAAAAAAAAAA": "ValidationError: Invalid Access Key",
		"":                                 "ValidationError: 1 validation error detected: Value null at 'accessKeyId' failed to satisfy constraint: Member must not be null",
	} {
		if _, err := f.do(t, "GetAccessKeyInfo", form); err == nil || err.Error() != want {
			t.Errorf("%q: %v", form, err)
		}
	}
}

func TestGetSessionToken(t *testing.T) {
	f := newFixture(t)
	got, err := f.do(t, "GetSessionToken", "DurationSeconds=900")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(got, "<SessionToken>")
	token, _, _ := strings.Cut(rest, "</SessionToken>")
	session, err := f.identity.OpenSession(t.Context(), f.node.View(), token)
	if err != nil {
		t.Fatal(err)
	}
	if session.IssuerID != f.caller.PrincipalID || session.Source != f.root.AccessKeyID || session.Expires-session.Issued != 900_000 ||
		!strings.Contains(got, string(session.Secret)) || !strings.Contains(got, session.AccessKeyID) {
		t.Errorf("the session of %s is not the caller's", session.AccessKeyID)
	}
	for _, record := range f.node.RawEvents(t) {
		if strings.Contains(record, token) || strings.Contains(record, string(session.Secret)) {
			t.Error("a record has the secret or the token")
		}
	}
	if _, err := f.identity.OpenSession(t.Context(), f.node.View(), "AAAA"); !errors.Is(err, identity.ErrToken) {
		t.Errorf("a text that is no token: %v", err)
	}
}

func TestGetSessionTokenRefuses(t *testing.T) {
	f := newFixture(t)
	for form, want := range map[string]string{
		"DurationSeconds=899": "ValidationError: 1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: " +
			"Member must have value greater than or equal to 900",
		"SerialNumber=GAHT12345678&TokenCode=123456": "AccessDenied: MultiFactorAuthentication failed with invalid MFA one time pass code.",
	} {
		if _, err := f.do(t, "GetSessionToken", form); err == nil || err.Error() != want {
			t.Errorf("%s: %v", form, err)
		}
	}
	f.caller.Session = &call.Session{}
	if _, err := f.do(t, "GetSessionToken", ""); err == nil || err.Error() != "AccessDenied: Cannot call GetSessionToken with session credentials" {
		t.Errorf("by a session: %v", err)
	}
}
