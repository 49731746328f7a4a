package server_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/cofre-kms/cofre/server"
	"github.com/cofre-kms/cofre/server/authz"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/sts"
)

// withSTS adds the service to a fixture's.
func withSTS(c *server.Config) {
	service := sts.New(sts.Config{Access: authz.New()})
	c.Services = append(c.Services, server.Service{Name: "sts", Protocol: server.Query(sts.Namespace), Operations: service.Operations()})
}

// presign answers the URL of a GetCallerIdentity that a user hands to somebody
// else, signed by the SDK. Some have a header that is signed, too.
func presign(t *testing.T, f *fixture, who aws.Credentials, header string) string {
	t.Helper()
	r := httptest.NewRequest("GET", "https://sts.us-east-1.example.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires=60", nil)
	r.Header.Del("Content-Type")
	if header != "" {
		r.Header.Set("X-K8s-Aws-Id", header)
	}
	empty := sha256.Sum256(nil)
	signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), who, r, hex.EncodeToString(empty[:]), "sts", "us-east-1", f.now)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func (f *fixture) redeem(t *testing.T, method, signed, header string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, signed, nil)
	r.RequestURI = r.URL.RequestURI()
	if header != "" {
		r.Header.Set("X-K8s-Aws-Id", header)
	}
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func longTerm(c *identity.Credentials) aws.Credentials {
	return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: string(c.Secret.Reveal())}
}

// TestPresigned: who has a presigned GetCallerIdentity learns who signed it, as
// the authenticators of Kubernetes do, for 15 minutes.
func TestPresigned(t *testing.T) {
	f := newFixture(t, withSTS)
	signed := presign(t, f, longTerm(f.root), "cluster-1")
	if status, body := f.redeem(t, "GET", signed, "cluster-1"); status != 200 || !strings.Contains(body, "<Arn>"+f.root.UserARN+"</Arn>") {
		t.Fatalf("%d %s", status, body)
	}
	if event := f.last(t); event.EventName != "GetCallerIdentity" || event.UserIdentity.ARN != f.root.UserARN {
		t.Errorf("recorded %+v", event)
	}
	f.now = f.now.Add(15 * time.Minute)
	if status, body := f.redeem(t, "GET", signed, "cluster-1"); status != 200 {
		t.Errorf("after 15 minutes: %d %s", status, body)
	}
	f.now = f.now.Add(time.Second)
	if status, body := f.redeem(t, "GET", signed, "cluster-1"); status != 403 || !strings.Contains(body, "Signature expired: ") || !strings.Contains(body, "- 15 min.)") {
		t.Errorf("later: %d %s", status, body)
	}
	f.now = f.now.Add(-21 * time.Minute)
	if status, body := f.redeem(t, "GET", signed, "cluster-1"); status != 403 || !strings.Contains(body, "Signature not yet current: ") {
		t.Errorf("too early: %d %s", status, body)
	}
}

func TestPresignedSession(t *testing.T) {
	f := newFixture(t, withSTS)
	f.putRole(t)
	s := f.session(t, &identity.Session{IssuerID: roleID, Name: "ci", Source: f.root.AccessKeyID})
	signed := presign(t, f, aws.Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: string(s.Secret.Reveal()), SessionToken: s.Token}, "")
	if status, body := f.redeem(t, "GET", signed, ""); status != 200 || !strings.Contains(body, "assumed-role/App/ci</Arn>") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := f.redeem(t, "GET", strings.Replace(signed, "X-Amz-Security-Token", "X-Amz-Other", 1), ""); status != 403 || !strings.Contains(body, "InvalidClientTokenId") {
		t.Errorf("without its token: %d %s", status, body)
	}
}

// TestPresignedRefusals: nothing that is signed can be changed, and nothing of the
// signature be left out or repeated.
func TestPresignedRefusals(t *testing.T) {
	f := newFixture(t, withSTS)
	signed := presign(t, f, longTerm(f.root), "cluster-1")
	for name, test := range map[string]struct{ method, url, header, code string }{
		"another method":     {"POST", signed, "cluster-1", "SignatureDoesNotMatch"},
		"another header":     {"GET", signed, "cluster-2", "SignatureDoesNotMatch"},
		"no header":          {"GET", signed, "", "IncompleteSignature"},
		"one more parameter": {"GET", signed + "&a=b", "cluster-1", "SignatureDoesNotMatch"},
		"another action":     {"GET", strings.Replace(signed, "GetCallerIdentity", "GetSessionToken", 1), "cluster-1", "SignatureDoesNotMatch"},
		"longer":             {"GET", strings.Replace(signed, "X-Amz-Expires=60", "X-Amz-Expires=61", 1), "cluster-1", "SignatureDoesNotMatch"},
		"signed twice":       {"GET", signed + "&X-Amz-Signature=00", "cluster-1", "IncompleteSignature"},
		"hidden":             {"GET", signed + "&X%2DAmz-Signature=00", "cluster-1", "IncompleteSignature"},
		"too long":           {"GET", strings.Replace(signed, "X-Amz-Expires=60", "X-Amz-Expires=604801", 1), "cluster-1", "IncompleteSignature"},
		"no number":          {"GET", strings.Replace(signed, "X-Amz-Expires=60", "X-Amz-Expires=1e3", 1), "cluster-1", "IncompleteSignature"},
		"no date":            {"GET", strings.Replace(signed, "X-Amz-Date", "X-Amz-Day", 1), "cluster-1", "IncompleteSignature"},
		"another key":        {"GET", strings.Replace(signed, f.root.AccessKeyID, "AKIAAAAAAAAAAAAAAAAA", 1), "cluster-1", "InvalidClientTokenId"},
		"malformed":          {"GET", signed + "&%zz", "cluster-1", ""},
	} {
		status, body := f.redeem(t, test.method, test.url, test.header)
		if status == 200 || !strings.Contains(body, "<Code>"+test.code) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if events := f.node.Events(t); len(events) != 0 {
		t.Errorf("%d records of requests that nobody signed", len(events))
	}
}

// TestPresignClient: what the SDK makes of a client's presigned request, and a GET
// that is signed by its header.
func TestPresignClient(t *testing.T) {
	f := newFixture(t, withSTS)
	f.now = time.Now() // the SDK's own clock
	client := awssts.New(awssts.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("https://sts.us-east-1.example.com"),
		Credentials: credentials.NewStaticCredentialsProvider(f.root.AccessKeyID, string(f.root.Secret.Reveal()), ""),
	})
	signed, err := awssts.NewPresignClient(client).PresignGetCallerIdentity(t.Context(), &awssts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := f.redeem(t, signed.Method, signed.URL, ""); status != 200 || !strings.Contains(body, f.root.UserARN) {
		t.Errorf("%d %s", status, body)
	}
	r := httptest.NewRequest("GET", "https://sts.us-east-1.example.com/?"+url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}}.Encode(), nil)
	r.RequestURI = r.URL.RequestURI()
	empty := sha256.Sum256(nil)
	if err := v4.NewSigner().SignHTTP(t.Context(), longTerm(f.root), r, hex.EncodeToString(empty[:]), "sts", "us-east-1", f.now); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), f.root.UserARN) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
