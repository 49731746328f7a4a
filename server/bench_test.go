package server_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server"
	"github.com/cofre-kms/cofre/server/servertest"
)

// free commits for nothing, so that a benchmark sees the front end alone.
type free struct{ *servertest.Node }

func (f free) Transact(_ context.Context, _ string, run func(tx *fsm.Txn) error) (uint64, error) {
	return 1, run(fsm.NewTxn(f.Store))
}

// sink is a ResponseWriter that keeps nothing but the status.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkRequest is one request through the handler with an operation that does
// nothing: authentication, decoding, the record, the answer.
func BenchmarkRequest(b *testing.B) {
	f := newFixture(b, func(c *server.Config) {
		c.Node = free{c.Node.(*servertest.Node)}
		c.Logger = hclog.NewNullLogger()
	})
	const body = `{"KeyID":"arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}`
	r := f.sign(b, f.root, "TrentService.Echo", body)
	reader := bytes.NewReader([]byte(body))
	r.Body = io.NopCloser(reader)
	handler := f.Handler()
	w := &sink{header: make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset([]byte(body))
		clear(w.header)
		handler.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			b.Fatal(w.status)
		}
	}
}
