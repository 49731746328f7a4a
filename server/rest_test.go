package server_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/shape"
)

// thing is what the routes of the tests take and answer.
type thing struct {
	Name string `json:"name"`
}

func thingShape() *shape.Struct[thing] {
	return shape.Of(shape.Text("name", shape.String{Min: 1, Max: 8}, func(q *thing) *string { return &q.Name }).Required())
}

// newRest is a fixture with routes beside KMS; run is what "GetThing" does.
func newRest(t testing.TB, run func(q *thing) (any, error)) *fixture {
	operation := func(_ context.Context, _ *fsm.Txn, c *call.Call, q *thing) (any, error) {
		c.Record.Parameters = recorded{q.Name}
		return run(q)
	}
	routes := []rest.Route{
		rest.Bind[thing](rest.Spec{Name: "GetThing", ReadOnly: true, Method: "GET", Path: "/v1/things/{name}"}, thingShape(), operation),
		rest.Bind[thing](rest.Spec{Name: "MakeThing", Method: "POST", Path: "/v1/things"}, thingShape(), operation),
	}
	return newFixture(t, func(c *server.Config) {
		c.Services = append(c.Services, server.Service{Name: "cofre", Protocol: server.REST("/v1/", routes), Operations: rest.Operations(routes)})
	})
}

func (f *fixture) restRequest(t testing.TB, as *identity.Credentials, service, method, target, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, "https://kms.example.com"+target, strings.NewReader(body))
	r.RequestURI = target // httptest keeps the absolute form
	hash := sha256.Sum256([]byte(body))
	err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{
		AccessKeyID: as.AccessKeyID, SecretAccessKey: string(as.Secret.Reveal()),
	}, r, hex.EncodeToString(hash[:]), service, "eu-central-1", f.now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (f *fixture) rest(t testing.TB, method, target, body string) (*httptest.ResponseRecorder, rest.Problem) {
	t.Helper()
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, f.restRequest(t, f.root, "cofre", method, target, body))
	return w, problem(t, w)
}

func problem(t testing.TB, w *httptest.ResponseRecorder) rest.Problem {
	t.Helper()
	var failed rest.Failure
	if w.Code != 200 {
		//lint:ignore SA1008 AWS's own spelling
		id := w.Header()["x-amzn-RequestId"][0]
		if err := json.Unmarshal(w.Body.Bytes(), &failed); err != nil || failed.Error.RequestID != id {
			t.Errorf("the body of an error is %q: %v", w.Body, err)
		}
	}
	return failed.Error
}

func TestREST(t *testing.T) {
	f := newRest(t, func(q *thing) (any, error) { return q, nil })
	for _, test := range []struct{ method, target, body, operation string }{
		{"GET", "/v1/things/a%2Fb", "", "GetThing"}, {"POST", "/v1/things", `{"name":"a/b"}`, "MakeThing"},
	} {
		w, _ := f.rest(t, test.method, test.target, test.body)
		if w.Code != 200 || w.Body.String() != `{"name":"a/b"}`+"\n" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s %v", test.operation, w.Code, w.Body, w.Header())
		}
		events := f.node.Events(t)
		event := events[len(events)-1]
		if event.EventName != test.operation || event.EventSource != "cofre" || event.AWSRegion != "eu-central-1" ||
			event.ReadOnly != (test.method == "GET") || event.UserIdentity.AccessKeyID != f.root.AccessKeyID {
			t.Errorf("record is %+v", event)
		}
	}
}

func TestRESTRefusals(t *testing.T) {
	denied := &call.Error{Code: "AccessDenied", Message: "no", Status: 403}
	for _, test := range []struct {
		name, method, target, body string
		err                        error
		status                     int
		code, eventName, errorCode string
	}{
		{"denied", "GET", "/v1/things/a", "", denied, 403, "AccessDenied", "GetThing", "AccessDenied"},
		{"invalid", "GET", "/v1/things/123456789", "", nil, 400, "ValidationError", "GetThing", "ValidationError"},
		{"no JSON", "POST", "/v1/things", "{", nil, 400, "MalformedInput", "MakeThing", "MalformedInput"},
		{"no path", "GET", "/v1/secret", "", nil, 404, "InvalidAction", "UnknownOperation", "UnknownOperationException"},
		{"no method", "PUT", "/v1/things", "", nil, 404, "InvalidAction", "UnknownOperation", "UnknownOperationException"},
		{"throttled", "GET", "/v1/things/a", "", cluster.ErrOverloaded, 429, "Throttling", "", ""},
		{"no quorum", "GET", "/v1/things/a", "", cluster.ErrUnavailable, 503, "ServiceUnavailable", "", ""},
		{"broken", "GET", "/v1/things/a", "", errOops, 500, "InternalFailure", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newRest(t, func(q *thing) (any, error) { return q, test.err })
			w, problem := f.rest(t, test.method, test.target, test.body)
			if w.Code != test.status || problem.Code != test.code {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if test.eventName == "" {
				if n := len(f.node.RawEvents(t)); n != 0 {
					t.Errorf("%d records", n)
				}
				return
			}
			if event := f.last(t); event.EventName != test.eventName || event.ErrorCode != test.errorCode || event.RequestID != problem.RequestID {
				t.Errorf("record is %+v", event)
			}
			if strings.Contains(f.node.RawEvents(t)[0], "secret") {
				t.Error("the record repeats an unknown path")
			}
		})
	}
}

func TestRESTUnauthenticated(t *testing.T) {
	f := newRest(t, func(q *thing) (any, error) { return q, nil })
	plain := httptest.NewRequest("GET", "/v1/things/a", nil)
	changed := f.restRequest(t, f.root, "cofre", "GET", "/v1/things/a", "")
	changed.URL.Path, changed.RequestURI = "/v1/things/b", "/v1/things/b"
	for code, r := range map[string]*http.Request{
		"MissingAuthenticationToken": plain, "SignatureDoesNotMatch": f.restRequest(t, f.root, "kms", "GET", "/v1/things/a", ""),
		"SignatureDoesNotMatch ": changed,
	} {
		w := httptest.NewRecorder()
		f.Handler().ServeHTTP(w, r)
		if p := problem(t, w); w.Code != 403 || p.Code != strings.TrimSpace(code) {
			t.Errorf("%s: %d %s", code, w.Code, w.Body)
		}
	}
	if n := len(f.node.RawEvents(t)); n != 0 {
		t.Errorf("%d records", n)
	}
}

func TestRESTRaw(t *testing.T) {
	f := newRest(t, func(*thing) (any, error) { return &rest.Raw{ContentType: "text/plain", Body: []byte("a\x00b")}, nil })
	if w, _ := f.rest(t, "GET", "/v1/things/a", ""); w.Code != 200 || w.Body.String() != "a\x00b" || w.Header().Get("Content-Type") != "text/plain" {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
	f = newRest(t, func(*thing) (any, error) { return nil, nil })
	if w, _ := f.rest(t, "GET", "/v1/things/a", ""); w.Code != 200 || w.Body.String() != "{}\n" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// TestRESTStream: a stream is answered whole, after its record is committed, or
// breaks off.
func TestRESTStream(t *testing.T) {
	var failure error
	var f *fixture
	f = newRest(t, func(*thing) (any, error) {
		return &rest.Stream{ContentType: "application/octet-stream", Copy: func(_ context.Context, w io.Writer) error {
			if len(f.node.RawEvents(t)) == 0 {
				t.Error("the answer comes before the record")
			}
			for range 100 {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 1000)); err != nil {
					return err
				}
			}
			return failure
		}}, nil
	})
	s := httptest.NewTLSServer(f.Handler())
	defer s.Close()
	for _, failure = range []error{nil, errors.New("disk gone")} {
		r := f.restRequest(t, f.root, "cofre", "GET", "/v1/things/a", "")
		out, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/v1/things/a", nil)
		if err != nil {
			t.Fatal(err)
		}
		out.Host, out.Header = r.Host, r.Header
		resp, err := s.Client().Do(out)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if failure == nil && (err != nil || len(body) != 100_000 || resp.Header.Get("Content-Type") != "application/octet-stream") {
			t.Errorf("%d bytes, %v", len(body), err)
		}
		if failure != nil && err == nil {
			t.Errorf("the answer seems whole: %d bytes", len(body))
		}
	}
}

// TestRESTByCurl signs with curl.
func TestRESTByCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil && os.Getenv("COFRE_REQUIRE_AWS_CLIENTS") == "1" {
		t.Fatal("there is no curl, and COFRE_REQUIRE_AWS_CLIENTS is 1")
	}
	if err != nil {
		t.Skip("there is no curl")
	}
	f := newRest(t, func(q *thing) (any, error) { return q, nil })
	f.now = time.Now()
	s := httptest.NewUnstartedServer(f.Handler())
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	s.StartTLS()
	defer s.Close()
	for _, args := range [][]string{
		{s.URL + "/v1/things/a"}, {"--json", `{"name":"a"}`, s.URL + "/v1/things"},
	} {
		args = append([]string{"-sSk", "--aws-sigv4", "aws:amz:us-east-1:cofre", "--user", f.root.AccessKeyID + ":" + string(f.root.Secret.Reveal())}, args...)
		out, err := exec.CommandContext(t.Context(), curl, args...).CombinedOutput()
		if err != nil || string(out) != `{"name":"a"}`+"\n" {
			t.Errorf("%v: %v %s", args[6:], err, out)
		}
	}
}
