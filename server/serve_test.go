package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cofre-kms/cofre/cluster"
	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/identity"
	"github.com/cofre-kms/cofre/server/state"
)

func TestAnAnswer(t *testing.T) {
	f := newFixture(t)
	a := f.do(t, "Echo", `{"KeyID":"k<>&"}`)
	if a.status != 200 || a.body != `{"KeyID":"k<>&","Secret":""}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	event := f.last(t)
	for name, want := range map[string]string{
		"Content-Type": "application/x-amz-json-1.1", "Content-Length": fmt.Sprint(len(a.body)),
		"Cache-Control": "no-cache, no-store, must-revalidate, private", "Expires": "0", "Pragma": "no-cache",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if id := a.requestIDs(); len(id) != 1 || len(id[0]) != 36 || id[0] != event.RequestID || event.EventID == event.RequestID {
		t.Errorf("request id %v, in the record %s, event %s", id, event.RequestID, event.EventID)
	}
	if event.EventName != "Echo" || !event.ReadOnly || event.EventTime != "2026-11-24T12:00:00Z" || event.SourceIPAddress != "192.0.2.1" ||
		event.UserAgent != "test/1.0" || event.AWSRegion != "us-east-1" || event.ErrorCode != "" ||
		event.UserIdentity.AccessKeyID != f.root.AccessKeyID || event.UserIdentity.AccountID != f.root.AccountID ||
		event.TLSDetails.TLSVersion != "TLSv1.2" || event.TLSDetails.ClientProvidedHostHeader != "kms.us-east-1.example.com" {
		t.Errorf("record is %+v", event)
	}
}

func TestNoOutputIsAnEmptyBody(t *testing.T) {
	f := newFixture(t)
	f.run = func(context.Context, *fsm.Txn, *call.Call, *request) (any, error) { return nil, nil }
	a := f.do(t, "Run", `{"KeyID":"k"}`)
	if a.status != 200 || a.body != "" || a.header.Get("Content-Length") != "0" || a.header.Get("Content-Type") != "application/x-amz-json-1.1" {
		t.Errorf("%d %q %v", a.status, a.body, a.header)
	}
}

// TestRefusals: what refuses an authenticated call is recorded with it, and its
// writes are forgotten.
func TestRefusals(t *testing.T) {
	denied := &call.Error{Code: "AccessDeniedException", Message: "no", RecordCode: "AccessDenied"}
	for _, test := range []struct {
		name, target, body string
		run                error
		status             int
		answer             string
		errorCode          string
		eventName          string
		parameters         bool
	}{
		{"refused", "TrentService.Run", `{"KeyID":"k"}`, call.Errorf("NotFoundException", "Invalid keyId k"), 400,
			`{"__type":"NotFoundException","message":"Invalid keyId k"}`, "NotFoundException", "Run", true},
		{"no message", "TrentService.Run", `{"KeyID":"k"}`, &call.Error{Code: "InvalidCiphertextException"}, 400,
			`{"__type":"InvalidCiphertextException"}`, "InvalidCiphertextException", "Run", true},
		{"wrapped", "TrentService.Run", `{"KeyID":"k"}`, fmt.Errorf("context: %w", &call.Error{Code: "E", Status: 409}), 409,
			`{"__type":"E"}`, "E", "Run", true},
		{"denied", "TrentService.Run", `{"KeyID":"k"}`, denied, 400,
			`{"__type":"AccessDeniedException","message":"no"}`, "AccessDenied", "Run", false},
		{"invalid", "TrentService.Echo", `{}`, nil, 400,
			`{"__type":"ValidationException","message":"1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"}`, "ValidationException", "Echo", false},
		{"no JSON", "TrentService.Echo", `{`, nil, 400, `{"__type":"SerializationException"}`, "SerializationException", "Echo", false},
		{"unknown operation", "TrentService.Secret", `{}`, nil, 400, `{"__type":"UnknownOperationException"}`, "UnknownOperationException", "UnknownOperation", false},
		{"unknown service", "Other.Echo", `{}`, nil, 400, `{"__type":"UnknownOperationException"}`, "UnknownOperationException", "UnknownOperation", false},
		{"no target", "", `{}`, nil, 400, `{"__type":"UnknownOperationException"}`, "UnknownOperationException", "UnknownOperation", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.run = func(_ context.Context, tx *fsm.Txn, _ *call.Call, _ *request) (any, error) {
				tx.Put("test\x00written", []byte("x"))
				return &request{}, test.run
			}
			a := f.send(t, f.sign(t, f.root, test.target, test.body))
			if a.status != test.status || a.body != test.answer {
				t.Errorf("%d %s", a.status, a.body)
			}
			event := f.last(t)
			if event.ErrorCode != test.errorCode || event.EventName != test.eventName || event.ResponseElements != nil ||
				(event.RequestParameters != nil) != test.parameters || event.RequestID != a.requestIDs()[0] {
				t.Errorf("record is %+v", event)
			}
			if rec, err := f.node.View().Get("test\x00written"); err != nil || rec != nil {
				t.Errorf("what a refused operation wrote is there: %v, %v", rec, err)
			}
		})
	}
}

// TestFailures is the whole table of failures inside Cofre: what the client sees,
// whether the transaction took effect or not.
func TestFailures(t *testing.T) {
	const throttled, timeout, internal = "ThrottlingException", "DependencyTimeoutException", "KMSInternalException"
	for _, test := range []struct {
		err    error
		status int
		code   string
	}{
		{cluster.ErrOverloaded, 400, throttled}, {cluster.ErrContention, 400, throttled},
		{cluster.ErrUnavailable, 503, timeout}, {cluster.ErrUnknown, 503, timeout},
		{cluster.ErrClosed, 500, internal}, {cluster.ErrDiverged, 500, internal},
		{hsm.ErrTimeout, 503, timeout}, {&hsm.Error{Op: "C_Encrypt", Code: 0x30, Err: hsm.ErrUnavailable}, 500, internal},
		{hsm.ErrClosed, 500, internal}, {hsm.ErrNoDomain, 500, internal},
		{context.DeadlineExceeded, 503, timeout}, {context.Canceled, 503, timeout},
		{fsm.ErrTooLarge, 500, internal}, {errOops, 500, internal},
	} {
		wrapped := fmt.Errorf("doing it: %w", test.err)
		for _, where := range []struct {
			name    string
			plant   func(*fixture)
			records int
		}{
			{"in the operation", func(f *fixture) {
				f.run = func(context.Context, *fsm.Txn, *call.Call, *request) (any, error) { return nil, wrapped }
			}, 0},
			{"not committed", func(f *fixture) { f.node.Fail = func() (error, error) { return wrapped, nil } }, 0},
			{"committed", func(f *fixture) { f.node.Fail = func() (error, error) { return nil, wrapped } }, 1},
			{"after the commit", func(f *fixture) {
				f.run = func(context.Context, *fsm.Txn, *call.Call, *request) (any, error) {
					return call.Later(func(fsm.View) (any, error) { return nil, wrapped }), nil
				}
			}, 1},
		} {
			t.Run(test.err.Error()+" "+where.name, func(t *testing.T) {
				f := newFixture(t)
				f.run = func(context.Context, *fsm.Txn, *call.Call, *request) (any, error) { return &request{}, nil }
				where.plant(f)
				a := f.do(t, "Run", `{"KeyID":"k"}`)
				if a.status != test.status || a.Type != test.code || a.Message == "" {
					t.Errorf("%d %s", a.status, a.body)
				}
				if n := len(f.node.RawEvents(t)); n != where.records {
					t.Errorf("%d records", n)
				}
				if !strings.Contains(f.logs.String(), "[WARN]") {
					t.Error("nobody hears of it")
				}
			})
		}
	}
}

func TestPanicsAreFailures(t *testing.T) {
	f := newFixture(t)
	for name, value := range map[string]any{"a value": "planted-secret", "the runtime's": nil} {
		t.Run(name, func(t *testing.T) {
			f.run = func(context.Context, *fsm.Txn, *call.Call, *request) (any, error) {
				if value != nil {
					panic(value)
				}
				var nothing *request
				return nothing.KeyID, nil
			}
			if a := f.do(t, "Run", `{"KeyID":"k"}`); a.status != 500 || a.Type != "KMSInternalException" {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	if log := f.logs.String(); strings.Contains(log, "planted-secret") || !strings.Contains(log, "serve_test.go") {
		t.Errorf("log is %s", log)
	}
}

func TestLaterSeesTheCommit(t *testing.T) {
	f := newFixture(t)
	f.run = func(_ context.Context, tx *fsm.Txn, _ *call.Call, _ *request) (any, error) {
		tx.Put("test\x00written", []byte("x"))
		return call.Later(func(view fsm.View) (any, error) {
			rec, err := view.Get("test\x00written")
			return &request{KeyID: string(rec.Value)}, err
		}), nil
	}
	if a := f.do(t, "Run", `{"KeyID":"k"}`); a.status != 200 || a.body != `{"KeyID":"x","Secret":""}` {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestLaterIsNotToldToWhoMayNotKnow: a list that is read after the caller's
// access key was deactivated may hold what came after that.
func TestLaterIsNotToldToWhoMayNotKnow(t *testing.T) {
	f := newFixture(t)
	f.run = func(context.Context, *fsm.Txn, *call.Call, *request) (any, error) {
		return call.Later(func(fsm.View) (any, error) {
			_, err := f.node.Transact(context.Background(), "", func(tx *fsm.Txn) error {
				key, err := state.AccessKeys.Get(tx, f.root.AccessKeyID)
				if err != nil {
					return err
				}
				changed := *key
				changed.Active = false
				return state.AccessKeys.Put(tx, &changed, changed.ID)
			})
			return &request{KeyID: "made since"}, err
		}), nil
	}
	if a := f.do(t, "Run", `{"KeyID":"k"}`); a.Type != "DependencyTimeoutException" || strings.Contains(a.body, "made since") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := f.do(t, "Run", `{"KeyID":"k"}`); a.Type != "UnrecognizedClientException" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestConflictsRunTheOperationAgain(t *testing.T) {
	f := newFixture(t)
	runs := 0
	f.run = func(_ context.Context, tx *fsm.Txn, c *call.Call, _ *request) (any, error) {
		if runs++; runs == 1 {
			c.Record.Additional = recorded{"of the first run"}
		}
		_, err := tx.Get("test\x00contended")
		return nil, err
	}
	f.node.Before = func() {
		f.node.Before = nil
		if _, err := f.node.Transact(context.Background(), "", func(tx *fsm.Txn) error {
			tx.Put("test\x00contended", []byte("x"))
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	if a := f.do(t, "Run", `{"KeyID":"k"}`); a.status != 200 || runs != 2 {
		t.Errorf("%d %s after %d runs", a.status, a.body, runs)
	}
	if event := f.last(t); event.AdditionalEventData != nil {
		t.Errorf("the record has what the first run said: %+v", event)
	}
}

func TestBodies(t *testing.T) {
	body := func(n int) string { return `{"KeyID":"` + strings.Repeat("k", n-12) + `"}` }
	f := newFixture(t, func(c *server.Config) { c.MaxBody = 10000 })
	for _, test := range []struct {
		name    string
		body    string
		chunked bool
		status  int
	}{
		{"largest", body(10000), false, 200}, {"larger", body(10001), false, 413},
		{"largest in chunks", body(10000), true, 200}, {"larger in chunks", body(10001), true, 413},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := f.sign(t, f.root, "TrentService.Echo", test.body)
			if test.chunked {
				r = f.sign(t, f.root, "TrentService.Echo", "") // signs no content-length
				f.resign(t, r, f.root, test.body)
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(test.body)), -1
			}
			a := f.send(t, r)
			if a.status != test.status {
				t.Errorf("%d %s", a.status, a.body)
			}
			if large := test.status == 413; large != (a.Type == "RequestEntityTooLargeException") || large != (a.header.Get("Connection") == "close") {
				t.Errorf("%s %v", a.body, a.header)
			}
		})
	}
	r := f.sign(t, f.root, "TrentService.Echo", body(100))
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), brokenReader{}))
	if a := f.send(t, r); a.status != 400 || a.Type != "RequestAbortedException" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if n := len(f.node.RawEvents(t)); n != 2 {
		t.Errorf("%d records", n)
	}
}

// TestLargeBodies: strangers cannot fill the memory, and small bodies go on.
func TestLargeBodies(t *testing.T) {
	f := newFixture(t)
	const most = 64
	answers := make(chan *answer, most)
	var writers []*io.PipeWriter
	for range most {
		reader, writer := io.Pipe()
		r := f.sign(t, f.root, "TrentService.Echo", "")
		r.Body, r.ContentLength = reader, -1
		go func() { answers <- f.send(t, r) }()
		if _, err := writer.Write(make([]byte, 20_000)); err != nil { // returns when all is read
			t.Fatal(err)
		}
		writers = append(writers, writer)
	}
	if a := f.do(t, "Echo", strings.Repeat(" ", 20_000)+`{"KeyID":"k"}`); a.Type != "ThrottlingException" {
		t.Errorf("one more: %d %s", a.status, a.body)
	}
	if a := f.do(t, "Echo", `{"KeyID":"k"}`); a.status != 200 {
		t.Errorf("a small one: %d %s", a.status, a.body)
	}
	for _, writer := range writers {
		_ = writer.Close()
		<-answers
	}
	if a := f.do(t, "Echo", strings.Repeat(" ", 20_000)+`{"KeyID":"k"}`); a.status != 200 {
		t.Errorf("when they have ended: %d %s", a.status, a.body)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestBusy(t *testing.T) {
	f := newFixture(t, func(c *server.Config) { c.MaxInFlight = 1 })
	entered, leave := make(chan struct{}), make(chan struct{})
	f.run = func(context.Context, *fsm.Txn, *call.Call, *request) (any, error) {
		close(entered)
		<-leave
		return nil, nil
	}
	first := make(chan *answer)
	go func() { first <- f.do(t, "Run", `{"KeyID":"k"}`) }()
	<-entered
	a := f.do(t, "Echo", `{"KeyID":"k"}`)
	if a.status != 400 || a.body != `{"__type":"ThrottlingException","message":"You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	close(leave)
	if a := <-first; a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := f.do(t, "Echo", `{"KeyID":"k"}`); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestUnauthenticatedLeavesNoRecord(t *testing.T) {
	f := newFixture(t)
	stranger := &identity.Credentials{AccessKeyID: "AKIAUNKNOWN"}
	for _, test := range []struct {
		name   string
		make   func() *http.Request
		code   string
		synced int
	}{
		{"unsigned", func() *http.Request {
			r := f.sign(t, f.root, "TrentService.Echo", "{}")
			r.Header.Del("Authorization")
			return r
		}, "MissingAuthenticationTokenException", 0},
		{"unknown", func() *http.Request { return f.sign(t, stranger, "TrentService.Echo", "{}") }, "UnrecognizedClientException", 1},
		{"too long to be one", func() *http.Request {
			return f.sign(t, &identity.Credentials{AccessKeyID: strings.Repeat("A", 129)}, "TrentService.Echo", "{}")
		}, "UnrecognizedClientException", 0},
		{"changed", func() *http.Request {
			r := f.sign(t, f.root, "TrentService.Echo", "{}")
			r.Header.Set("X-Amz-Target", "TrentService.Run")
			return r
		}, "InvalidSignatureException", 0},
		{"another path", func() *http.Request {
			r := f.sign(t, f.root, "TrentService.Echo", "{}")
			r.RequestURI = "/other"
			return r
		}, "InvalidSignatureException", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := f.node.Syncs()
			a := f.send(t, test.make())
			if a.status != 400 || a.Type != test.code || a.Message == "" || len(a.requestIDs()) != 1 {
				t.Errorf("%d %s", a.status, a.body)
			}
			if synced := f.node.Syncs() - before; synced != test.synced {
				t.Errorf("%d syncs", synced)
			}
		})
	}
	if n := len(f.node.RawEvents(t)); n != 0 {
		t.Errorf("%d records", n)
	}
	f.node.SyncError = cluster.ErrUnavailable
	if a := f.send(t, f.sign(t, stranger, "TrentService.Echo", "{}")); a.status != 503 {
		t.Errorf("without a quorum nobody knows who is unknown: %d %s", a.status, a.body)
	}
}

// TestCredentialsChangeDuringARequest: the access key that verified is not the
// one of the instant of the commit.
func TestCredentialsChangeDuringARequest(t *testing.T) {
	change := func(f *fixture, to func(*state.AccessKey)) {
		f.node.Before = func() {
			f.node.Before = nil
			if _, err := f.node.Transact(context.Background(), "", func(tx *fsm.Txn) error {
				key, err := state.AccessKeys.Get(tx, f.root.AccessKeyID)
				if err != nil {
					return err
				}
				changed := *key
				to(&changed)
				return state.AccessKeys.Put(tx, &changed, changed.ID)
			}); err != nil {
				t.Error(err)
			}
		}
	}
	t.Run("deactivated", func(t *testing.T) {
		f := newFixture(t)
		change(f, func(key *state.AccessKey) { key.Active = false })
		if a := f.do(t, "Echo", `{"KeyID":"k"}`); a.Type != "UnrecognizedClientException" || len(f.node.RawEvents(t)) != 0 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("sealed anew", func(t *testing.T) {
		f := newFixture(t)
		change(f, func(key *state.AccessKey) {
			system, _, err := state.Systems.Peek(f.node.View(), state.SystemID)
			if err != nil {
				t.Fatal(err)
			}
			if key.Secret, err = f.hsm.Encrypt(context.Background(), system.SecretsKey, f.root.Secret.Reveal(), []byte(key.ID)); err != nil {
				t.Fatal(err)
			}
		})
		if a := f.do(t, "Echo", `{"KeyID":"k"}`); a.status != 200 || len(f.node.RawEvents(t)) != 1 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("touched", func(t *testing.T) {
		f := newFixture(t)
		change(f, func(*state.AccessKey) {})
		if a := f.do(t, "Echo", `{"KeyID":"k"}`); a.status != 200 || len(f.node.RawEvents(t)) != 1 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

func TestSecretsAreOpenedOncePerDayAndRegion(t *testing.T) {
	f := newFixture(t)
	opened := 0
	f.hsm.Fail = func() error { opened++; return nil }
	for range 5 {
		if a := f.do(t, "Echo", `{"KeyID":"k"}`); a.status != 200 {
			t.Fatal(a.body)
		}
	}
	if opened != 1 {
		t.Errorf("%d calls of the HSM", opened)
	}
	f.hsm.Fail = func() error { return hsm.ErrUnavailable }
	f.now = f.now.AddDate(0, 0, 1)
	if a := f.do(t, "Echo", `{"KeyID":"k"}`); a.status != 500 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestDated: calls are dated by one clock and signatures judged by another.
func TestDated(t *testing.T) {
	f := newFixture(t, func(c *server.Config) {
		c.Dated = func() time.Time { return time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC) }
	})
	if a := f.do(t, "Echo", `{"KeyID":"k"}`); a.status != 200 {
		t.Fatal(a.body)
	}
	if at := f.node.Events(t)[0].EventTime; at != "2031-01-02T03:04:05Z" {
		t.Errorf("the call is dated %s", at)
	}
}

func TestHealth(t *testing.T) {
	f := newFixture(t)
	if a := f.do(t, "Echo", `{"KeyID":"k"}`); a.status != 200 {
		t.Fatal(a.body)
	}
	metrics := f.MetricsHandler(f.registry)
	for _, test := range []struct {
		handler http.Handler
		path    string
		ready   error
		status  int
		body    string
	}{
		{f.Handler(), "/healthz", errOops, 200, "ok\n"}, {metrics, "/healthz", errOops, 200, "ok\n"},
		{f.Handler(), "/readyz", nil, 200, "ready\n"}, {metrics, "/readyz", nil, 200, "ready\n"},
		{f.Handler(), "/readyz", errOops, 503, "oops\n"}, {metrics, "/readyz", errOops, 503, "oops\n"},
		{metrics, "/metrics", nil, 200, `cofre_requests_total{code="OK",operation="Echo",service="kms"} 1`},
		{metrics, "/metrics", nil, 200, "cofre_requests_in_flight 0"},
	} {
		f.node.ReadyError = test.ready
		if status, body := get(t, test.handler, test.path); status != test.status || !strings.Contains(body, test.body) {
			t.Errorf("%s: %d %s", test.path, status, body)
		}
	}
}

func TestFiguresAreRegisteredOnce(t *testing.T) {
	f := newFixture(t)
	if _, err := server.New(f.config); err == nil {
		t.Error("figures were registered twice")
	}
}
