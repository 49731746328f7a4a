package sim

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/cofre-kms/cofre/server/admin"
	"github.com/cofre-kms/cofre/test/workload"
)

// api is the clients' way to the nodes, a workload.API: the SDK's signer, and
// the front end's handler as a function. Between them some answers get lost.
type api struct {
	world *World
	as    workload.Credentials
	lossy float64 // of the answers
}

func newAPI(w *World, as *admin.Account) *api {
	return &api{world: w, lossy: 0.01, as: workload.Credentials{AccessKeyID: as.AccessKeyID, Secret: as.SecretAccessKey}}
}

// Nodes implements workload.API.
func (a *api) Nodes() []string {
	names := make([]string, len(a.world.nodes))
	for i, n := range a.world.nodes {
		names[i] = n.name
	}
	return names
}

// Regions implements workload.API.
func (a *api) Regions() []string { return regions }

// Do implements workload.API. The answer of a process that has ended meanwhile
// is lost.
func (a *api) Do(ctx context.Context, name string, r workload.Request) workload.Answer {
	n := a.world.node(name)
	n.mu.Lock()
	p := n.process
	if p != nil {
		p.calls.Add(1)
	}
	n.mu.Unlock()
	if p == nil {
		return workload.Answer{Lost: true}
	}
	w := httptest.NewRecorder()
	began := time.Now()
	p.handler.ServeHTTP(w, a.sign(ctx, r))
	p.calls.Done()
	if took := time.Since(began); took > callLimit {
		a.world.fail("liveness", "%s took %v on %s", r.Operation, took, name)
	}
	if n.running() != p || a.world.chance(a.lossy) {
		return workload.Answer{Lost: true}
	}
	header := map[string][]string(w.Header()) // its spelling is AWS's, not canonical
	return workload.Answer{Status: w.Code, RequestID: header["x-amzn-RequestId"][0], Body: w.Body.Bytes()}
}

// callLimit is how long an answer may take whatever happens: the front end's
// deadline is 5 s.
const callLimit = 10 * time.Second

func (a *api) sign(ctx context.Context, r workload.Request) *http.Request {
	req := httptest.NewRequestWithContext(ctx, "POST", "https://kms."+regions[0]+".example.com/", bytes.NewReader(r.Body))
	req.RequestURI = "/" // httptest keeps the absolute form
	if err := r.Sign(ctx, req, a.as, regions[0]); err != nil {
		panic(err) // static credentials
	}
	return req
}
