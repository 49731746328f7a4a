// Package workload is what clients do to a cluster under test: random KMS
// operations on few objects, each of them recorded in a history. The simulator
// and the fault tests bring the way to the nodes.
package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/cofre-kms/cofre/test/history"
)

// API is a way to the nodes. It is safe for concurrent use.
type API interface {
	// Nodes are the names of all nodes, those that are down included.
	Nodes() []string
	// Do signs a request and sends it to a node.
	Do(ctx context.Context, node string, r Request) Answer
}

// Request is one request.
type Request struct {
	Operation string
	Body      []byte
	UserAgent string
}

// Answer is what the client sees of an answer.
type Answer struct {
	Lost      bool // nothing came back: the rest means nothing
	Status    int
	RequestID string
	Body      []byte
}

// Client calls a cluster, one operation after the other. It belongs to one
// goroutine.
type Client struct {
	Number   int
	API      API
	Recorder *history.Recorder
	Objects  *Objects
	Rand     *rand.Rand
	// Think is how long it waits between operations, on average.
	Think time.Duration
}

// Run works until ctx is done. Operations that have begun are ended.
func (c *Client) Run(ctx context.Context) {
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	for {
		timer := time.NewTimer(time.Duration(c.Rand.ExpFloat64() * float64(c.Think)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		pick := c.Rand.IntN(total)
		for _, a := range actions {
			if pick -= a.weight; pick < 0 {
				a.run(c, context.WithoutCancel(ctx))
				break
			}
		}
	}
}

// m is a request's body.
type m = map[string]any

// do does one operation on some node, and decodes the body of a success into
// response.
func (c *Client) do(ctx context.Context, op *history.Op, request m, response any) {
	nodes := c.API.Nodes()
	op.Client = c.Number
	if op.Node == "" {
		op.Node = nodes[c.Rand.IntN(len(nodes))]
	}
	body, err := json.Marshal(request)
	if err != nil {
		panic(err) // strings and bytes
	}
	c.Recorder.Begin(op)
	defer c.Recorder.End(op)
	a := c.API.Do(ctx, op.Node, Request{Operation: op.Name, Body: body, UserAgent: op.Agent()})
	if a.Lost {
		return
	}
	var exception struct {
		Type string `json:"__type"`
	}
	into := response
	if a.Status != http.StatusOK {
		into = &exception
	}
	if into != nil {
		if err := json.Unmarshal(a.Body, into); err != nil {
			c.Objects.fail("the body of an answer is %q: %v: %v", a.Body, err, op)
			return
		}
	}
	op.RequestID, op.Code = a.RequestID, exception.Type
	op.Outcome = outcome(a.Status, exception.Type)
}

// outcome: a failure inside the cluster leaves everything open, and what was
// throttled did not happen.
func outcome(status int, code string) history.Outcome {
	switch {
	case code == "ThrottlingException":
		return history.Nothing
	case status >= http.StatusInternalServerError:
		return history.Unknown
	}
	return history.Answered
}

// done says whether an operation was answered with success.
func done(op *history.Op) bool { return op.Outcome == history.Answered && op.Code == "" }

func plaintext(r *rand.Rand) []byte { return fmt.Appendf(nil, "%016x", r.Uint64()) }
