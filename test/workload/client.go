// Package workload is what clients do to a cluster under test: random KMS
// operations on few objects, each of them recorded in a history. The simulator
// and the fault tests bring the way to the nodes.
package workload

import (
	"context"
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
	// Regions are the names of those that the cluster serves; keys are made in the
	// first.
	Regions() []string
	// Do signs a request and sends it to a node.
	Do(ctx context.Context, node string, r Request) Answer
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
	// Workloads are those that it takes part in; none: all.
	Workloads []string
}

// Run works until ctx is done. Operations that have begun are ended.
func (c *Client) Run(ctx context.Context) {
	actions := actionsOf(c.Workloads)
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

// m is a request's body, or form.
type m = map[string]any

// do does one operation of KMS on some node as the administrator, and decodes
// the body of a success into response.
func (c *Client) do(ctx context.Context, op *history.Op, request m, response any) {
	c.send(ctx, op, "kms", Credentials{}, request, response)
}

// doIAM does one operation of IAM.
func (c *Client) doIAM(ctx context.Context, op *history.Op, request m, response any) {
	c.send(ctx, op, "iam", Credentials{}, request, response)
}

func (c *Client) send(ctx context.Context, op *history.Op, service string, as Credentials, request m, response any) {
	nodes := c.API.Nodes()
	op.Client, op.As = c.Number, as.AccessKeyID
	if op.Node == "" {
		op.Node = nodes[c.Rand.IntN(len(nodes))]
	}
	wire := protocols[service]
	body, err := wire.encode(op.Name, request)
	if err != nil {
		panic(err) // strings and bytes
	}
	c.Recorder.Begin(op)
	defer c.Recorder.End(op)
	a := c.API.Do(ctx, op.Node, Request{
		Service: service, Region: op.Region, Operation: op.Name, Body: body, UserAgent: op.Agent(), As: as,
	})
	if a.Lost {
		return
	}
	code := ""
	switch {
	case a.Status != http.StatusOK:
		code, err = wire.exception(a.Body)
	case response != nil:
		err = wire.decode(a.Body, response)
	}
	if err != nil {
		c.Objects.fail("the body of an answer is %q: %v: %v", a.Body, err, op)
		return
	}
	op.RequestID, op.Code = a.RequestID, code
	op.Outcome = outcome(a.Status, code)
}

// outcome: a failure inside the cluster leaves everything open, what was
// throttled did not happen, and whoever is a stranger is turned away.
func outcome(status int, code string) history.Outcome {
	switch {
	case code == "ThrottlingException" || code == "Throttling":
		return history.Nothing
	case code == "UnrecognizedClientException":
		return history.TurnedAway
	case status >= http.StatusInternalServerError:
		return history.Unknown
	}
	return history.Answered
}

// done says whether an operation was answered with success.
func done(op *history.Op) bool { return op.Outcome == history.Answered && op.Code == "" }

func plaintext(r *rand.Rand) []byte { return fmt.Appendf(nil, "%016x", r.Uint64()) }
