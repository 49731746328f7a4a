package server_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/servertest"
)

// fixture is a server before a cluster of one, with an operation for each way in
// which operations end.
type fixture struct {
	*server.Server
	node     *servertest.Node
	hsm      *servertest.HSM
	identity *identity.Service
	root     *identity.Credentials
	now      time.Time
	logs     *logs
	registry *prometheus.Registry
	config   server.Config
	run      func(ctx context.Context, tx *fsm.Txn, c *call.Call, req *request) (any, error) // of "Run"
}

// logs is a log in memory.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// request is what all operations of the fixture take.
type request struct{ KeyID, Secret string }

func decodeRequest(body []byte, r *request) error {
	if json.Unmarshal(body, r) != nil {
		return &call.Error{Code: "SerializationException"}
	}
	if r.KeyID == "" {
		return call.Errorf("ValidationException", "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	}
	return nil
}

type recorded struct {
	KeyID string `json:"keyId"`
}

func newFixture(t testing.TB, options ...func(*server.Config)) *fixture {
	t.Helper()
	f := &fixture{
		node: servertest.New(t), hsm: servertest.NewHSM(t), logs: &logs{}, registry: prometheus.NewRegistry(),
		now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
	}
	f.identity = identity.New(identity.Config{HSM: f.hsm})
	f.config = server.Config{
		Node: f.node, Identity: f.identity, Regions: []string{"us-east-1", "eu-central-1"}, Metrics: f.registry,
		Now:    func() time.Time { return f.now },
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: f.logs}),
		Services: []server.Service{{Name: "kms", Protocol: server.JSON("TrentService"), Operations: []call.Operation{
			call.Bind("Echo", true, decodeRequest, func(_ context.Context, _ *fsm.Txn, c *call.Call, r *request) (*request, error) {
				c.Record.Parameters = recorded{r.KeyID}
				return &request{KeyID: r.KeyID}, nil
			}),
			call.Bind("Run", false, decodeRequest, func(ctx context.Context, tx *fsm.Txn, c *call.Call, r *request) (any, error) {
				c.Record.Parameters, c.Record.Response = recorded{r.KeyID}, recorded{"response"}
				return f.run(ctx, tx, c, r)
			}),
		}}},
	}
	for _, option := range options {
		option(&f.config)
	}
	s, err := server.New(f.config)
	if err != nil {
		t.Fatal(err)
	}
	f.Server = s
	f.root = f.account(t, func(tx *fsm.Txn) (*identity.Credentials, error) {
		return f.identity.Genesis(context.Background(), tx, 1, "operators")
	})
	return f
}

func (f *fixture) account(t testing.TB, create func(*fsm.Txn) (*identity.Credentials, error)) (made *identity.Credentials) {
	t.Helper()
	if _, err := f.node.Transact(context.Background(), "", func(tx *fsm.Txn) (err error) {
		made, err = create(tx)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return made
}

// sign makes a request as the SDK does.
func (f *fixture) sign(t testing.TB, as *identity.Credentials, target, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequest("POST", "https://kms.us-east-1.example.com/", strings.NewReader(body))
	r.RequestURI = "/" // httptest keeps the absolute form
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("User-Agent", "test/1.0")
	if target != "" {
		r.Header.Set("X-Amz-Target", target)
	}
	f.resign(t, r, as, body)
	return r
}

func (f *fixture) resign(t testing.TB, r *http.Request, as *identity.Credentials, body string) {
	t.Helper()
	hash := sha256.Sum256([]byte(body))
	err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{
		AccessKeyID: as.AccessKeyID, SecretAccessKey: string(as.Secret.Reveal()),
	}, r, hex.EncodeToString(hash[:]), "kms", "us-east-1", f.now)
	if err != nil {
		t.Fatal(err)
	}
}

// answer is what a client sees.
type answer struct {
	status  int
	header  http.Header
	body    string
	Type    string `json:"__type"`
	Message string `json:"message"`
}

// requestIDs are the values of the header that AWS does not spell canonically.
func (a *answer) requestIDs() []string {
	//lint:ignore SA1008 it is AWS's own spelling that is tested
	return a.header["x-amzn-RequestId"]
}

func (f *fixture) send(t testing.TB, r *http.Request) *answer {
	t.Helper()
	w := httptest.NewRecorder()
	f.Handler().ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	a := &answer{status: w.Code, header: w.Header(), body: string(body)}
	if w.Code != http.StatusOK {
		if err := json.Unmarshal(body, a); err != nil {
			t.Errorf("the body of an error is %q: %v", body, err)
		}
	}
	return a
}

func (f *fixture) do(t testing.TB, operation, body string) *answer {
	t.Helper()
	return f.send(t, f.sign(t, f.root, "TrentService."+operation, body))
}

func get(t testing.TB, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String()
}

// last answers the only record, or fails.
func (f *fixture) last(t testing.TB) *ledger.Event {
	t.Helper()
	events := f.node.Events(t)
	if len(events) != 1 {
		t.Fatalf("%d records", len(events))
	}
	return &events[0]
}

var errOops = errors.New("oops")
