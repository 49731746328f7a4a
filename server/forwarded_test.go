package server_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/state"
)

const storage = "s3.amazonaws.com"

// service makes a service principal.
func (f *fixture) service(t *testing.T, name string) (made *identity.ServiceCredentials) {
	t.Helper()
	f.change(t, func(tx *fsm.Txn) (err error) {
		made, err = f.identity.CreateServicePrincipal(context.Background(), tx, name, "")
		return err
	})
	return made
}

// request signed by somebody for a service: what the service hands on of it.
func (f *fixture) evidence(t *testing.T, who aws.Credentials, service string) http.Header {
	t.Helper()
	r := httptest.NewRequest("PUT", "https://bucket.storage.example.com/object", nil)
	hash := sha256.Sum256([]byte("the object"))
	if err := v4.NewSigner().SignHTTP(context.Background(), who, r, hex.EncodeToString(hash[:]), service, "eu-west-9", f.now); err != nil {
		t.Fatal(err)
	}
	stamp := r.Header.Get("X-Amz-Date")
	signed := "host;x-amz-date"
	canonical := "PUT\n/object\n\nhost:bucket.storage.example.com\nx-amz-date:" + stamp + "\n"
	if who.SessionToken != "" {
		canonical += "x-amz-security-token:" + who.SessionToken + "\n"
		signed += ";x-amz-security-token"
	}
	sum := sha256.Sum256([]byte(canonical + "\n" + signed + "\n" + hex.EncodeToString(hash[:])))
	h := http.Header{}
	h.Set("X-Amz-Cofre-Forwarded-Authorization", r.Header.Get("Authorization"))
	h.Set("X-Amz-Cofre-Forwarded-Date", stamp)
	h.Set("X-Amz-Cofre-Forwarded-Request", hex.EncodeToString(sum[:]))
	if who.SessionToken != "" {
		h.Set("X-Amz-Cofre-Forwarded-Security-Token", who.SessionToken)
	}
	return h
}

// calls makes a call of Run as a service, with headers.
func (f *fixture) calls(t *testing.T, key, secret string, headers http.Header) *answer {
	t.Helper()
	const body = `{"KeyID":"k"}`
	r := f.sign(t, f.root, "TrentService.Run", body)
	for name, values := range headers {
		r.Header[name] = values
	}
	r.Header.Del("Authorization")
	hash := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: key, SecretAccessKey: secret},
		r, hex.EncodeToString(hash[:]), "kms", "us-east-1", f.now); err != nil {
		t.Fatal(err)
	}
	return f.send(t, r)
}

// seen has Run keep whom it was called by.
func (f *fixture) seen() *call.Principal {
	who := new(call.Principal)
	f.run = func(_ context.Context, _ *fsm.Txn, c *call.Call, _ *request) (any, error) {
		*who = c.Principal
		return &request{}, nil
	}
	return who
}

// TestServiceItself: a service calls for itself, and says on account of what.
func TestServiceItself(t *testing.T) {
	f := newFixture(t)
	s := f.service(t, storage)
	who := f.seen()
	a := f.calls(t, s.AccessKeyID, string(s.Secret.Reveal()), http.Header{"X-Amz-Source-Arn": {"arn:aws:s3:::b"}, "X-Amz-Source-Account": {"111122223333"}})
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if who.Type != "AWSService" || who.Service == nil || *who.Service != (call.Service{Name: storage, SourceARN: "arn:aws:s3:::b", SourceAccount: "111122223333"}) || who.Via != "" {
		t.Errorf("it is %+v", who)
	}
	if event := f.last(t); event.UserIdentity.Type != "AWSService" || event.UserIdentity.InvokedBy != storage || event.UserIdentity.AccessKeyID != "" ||
		event.SourceIPAddress != storage || event.UserAgent != storage || event.TLSDetails != nil {
		t.Errorf("recorded as %+v", event)
	}
}

// TestServiceForwards: a service calls for who has signed a request to it, with
// long-term credentials or a session's.
func TestServiceForwards(t *testing.T) {
	f := newFixture(t)
	f.putRole(t)
	s := f.service(t, storage)
	secret := string(s.Secret.Reveal())
	who := f.seen()
	if a := f.calls(t, s.AccessKeyID, secret, f.evidence(t, longTerm(f.root), "s3")); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if who.ARN != f.root.UserARN || who.Via != storage || who.Service != nil {
		t.Errorf("it is %+v", who)
	}
	if event := f.last(t); event.UserIdentity.ARN != f.root.UserARN || event.UserIdentity.InvokedBy != storage || event.SourceIPAddress != storage {
		t.Errorf("recorded as %+v", event)
	}
	temporary := f.session(t, &identity.Session{IssuerID: roleID, Name: "ci", Source: f.root.AccessKeyID})
	credentials := aws.Credentials{AccessKeyID: temporary.AccessKeyID, SecretAccessKey: string(temporary.Secret.Reveal()), SessionToken: temporary.Token}
	if a := f.calls(t, s.AccessKeyID, secret, f.evidence(t, credentials, "s3")); a.status != 200 || who.Type != "AssumedRole" || who.Via != storage {
		t.Errorf("a session: %d %s %+v", a.status, a.body, who)
	}
}

// TestForwardedRefusals: the proof cannot be altered, kept, or be meant for
// somebody else, and nobody but a service can have one.
func TestForwardedRefusals(t *testing.T) {
	f := newFixture(t)
	s, other := f.service(t, storage), f.service(t, "rds.amazonaws.com")
	key, secret := s.AccessKeyID, string(s.Secret.Reveal())
	f.seen()
	with := func(change func(h http.Header)) http.Header {
		h := f.evidence(t, longTerm(f.root), "s3")
		change(h)
		return h
	}
	const prefix = "X-Amz-Cofre-Forwarded-"
	for name, test := range map[string]struct {
		key, secret string
		headers     http.Header
		code        string
	}{
		"a user":          {f.root.AccessKeyID, string(f.root.Secret.Reveal()), with(func(http.Header) {}), "InvalidSignatureException"},
		"another service": {other.AccessKeyID, string(other.Secret.Reveal()), with(func(http.Header) {}), "InvalidSignatureException"},
		"itself": {key, secret, f.evidence(t, aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, "s3"),
			"InvalidSignatureException"},
		"a request to KMS":      {key, secret, f.evidence(t, longTerm(f.root), "kms"), "InvalidSignatureException"},
		"another request":       {key, secret, with(func(h http.Header) { h.Set(prefix+"Request", strings.Repeat("0", 64)) }), "InvalidSignatureException"},
		"no hash":               {key, secret, with(func(h http.Header) { h.Set(prefix+"Request", "00") }), "InvalidSignatureException"},
		"a long hash":           {key, secret, with(func(h http.Header) { h.Set(prefix+"Request", h.Get(prefix+"Request")+"00") }), "InvalidSignatureException"},
		"another date":          {key, secret, with(func(h http.Header) { h.Set(prefix+"Date", "20261124T120001Z") }), "InvalidSignatureException"},
		"no date":               {key, secret, with(func(h http.Header) { h.Del(prefix + "Date") }), "IncompleteSignatureException"},
		"no authorization":      {key, secret, with(func(h http.Header) { h.Del(prefix + "Authorization") }), "MissingAuthenticationTokenException"},
		"somebody else's token": {key, secret, with(func(h http.Header) { h.Set(prefix+"Security-Token", "AAAA") }), "UnrecognizedClientException"},
		"nobody's key": {key, secret, with(func(h http.Header) {
			h.Set(prefix+"Authorization", strings.Replace(h.Get(prefix+"Authorization"), f.root.AccessKeyID, "AKIAAAAAAAAAAAAAAAAA", 1))
		}), "UnrecognizedClientException"},
	} {
		if a := f.calls(t, test.key, test.secret, test.headers); a.status != 400 || a.Type != test.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	proof := f.evidence(t, longTerm(f.root), "s3")
	f.now = f.now.Add(15 * time.Minute)
	if a := f.calls(t, key, secret, proof); a.status != 200 {
		t.Errorf("after 15 minutes: %d %s", a.status, a.body)
	}
	f.now = f.now.Add(time.Second)
	if a := f.calls(t, key, secret, proof); a.status != 400 || !strings.HasPrefix(a.Message, "Signature expired: ") {
		t.Errorf("later: %d %s", a.status, a.body)
	}
	// Without a signature over them, such headers count for nothing.
	r := f.sign(t, f.root, "TrentService.Run", `{"KeyID":"k"}`)
	r.Header.Set("X-Amz-Source-Arn", "arn:aws:s3:::b")
	if a := f.send(t, r); a.status != 400 || a.Type != "InvalidSignatureException" {
		t.Errorf("unsigned: %d %s", a.status, a.body)
	}
}

// TestServiceEnds: with its credential, and for somebody with that somebody's.
func TestServiceEnds(t *testing.T) {
	f := newFixture(t)
	s := f.service(t, storage)
	secret := string(s.Secret.Reveal())
	f.seen()
	listed, err := identity.ServicePrincipals(f.node.View())
	if err != nil || len(listed) != 1 || listed[0].Service != storage || listed[0].AccessKeyID != s.AccessKeyID {
		t.Errorf("listed are %+v, %v", listed, err)
	}
	proof := f.evidence(t, longTerm(f.root), "s3")
	if a := f.calls(t, s.AccessKeyID, secret, proof); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	f.change(t, func(tx *fsm.Txn) error {
		_, err := identity.DeleteServicePrincipal(tx, s.AccessKeyID)
		return err
	})
	if a := f.calls(t, s.AccessKeyID, secret, proof); a.Type != "UnrecognizedClientException" {
		t.Errorf("a deleted one: %d %s", a.status, a.body)
	}
	again := f.service(t, storage)
	if a := f.calls(t, again.AccessKeyID, string(again.Secret.Reveal()), proof); a.status != 200 {
		t.Errorf("a new one: %d %s", a.status, a.body)
	}
	f.change(t, func(tx *fsm.Txn) error {
		_, user, err := f.identity.Authenticate(tx, f.root.AccessKeyID)
		if err == nil {
			next := *user
			next.Active = false
			err = state.AccessKeys.Put(tx, &next, next.ID)
		}
		return err
	})
	if a := f.calls(t, again.AccessKeyID, string(again.Secret.Reveal()), proof); a.Type != "UnrecognizedClientException" {
		t.Errorf("for an inactive key: %d %s", a.status, a.body)
	}
	if err := f.refusal(t, func(tx *fsm.Txn) error { _, err := identity.DeleteServicePrincipal(tx, f.root.AccessKeyID); return err }); err == nil {
		t.Error("a user's key is deleted as a service's")
	}
	for _, name := range []string{"", "s3", ".amazonaws.com", "S3.amazonaws.com", "a..amazonaws.com", "s3.amazonaws.com.example", strings.Repeat("a", 130) + ".amazonaws.com"} {
		if err := f.refusal(t, func(tx *fsm.Txn) error {
			_, err := f.identity.CreateServicePrincipal(t.Context(), tx, name, "")
			return err
		}); err == nil {
			t.Errorf("%q is a service", name)
		}
	}
}

func (f *fixture) refusal(t *testing.T, run func(tx *fsm.Txn) error) error {
	t.Helper()
	_, err := f.node.Transact(t.Context(), "", run)
	return err
}
