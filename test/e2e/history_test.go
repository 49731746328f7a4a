package e2e

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/cofre-kms/cofre/test/rig"
)

// TestHistoryIsLinearizable records what clients of all nodes ask and see of some
// keys, while the leader is killed and paused in turn, and has Porcupine look for
// an order of instants that explains all of it (promise P2). A paused leader is
// the hard one: when it goes on it believes for a moment that it still leads.
func TestHistoryIsLinearizable(t *testing.T) {
	const rounds = 6
	c := rig.Start(t, rig.Config{Binary: binary})
	h := startHistory(t, c)
	for round := range rounds {
		leader := c.Leader(t)
		away, back := kill, (*rig.Node).Start
		if round%2 == 1 {
			away, back = (*rig.Node).Pause, (*rig.Node).Resume
		}
		must(t, away(leader))
		h.awaitProgress(60)
		must(t, back(leader))
		h.awaitProgress(200)
		c.Await(t)
	}
	h.judge()
}

// patience is how long a client waits for a node that may be paused.
const patience = time.Second

// The operations of a history.
const (
	opDescribe    = "DescribeKey"
	opEncrypt     = "Encrypt"
	opDisable     = "DisableKey"
	opEnable      = "EnableKey"
	opDescription = "UpdateKeyDescription"
)

// question is what a client asked of a key.
type question struct {
	key, op, description string
}

// reply is what it saw. An unknown reply is that of a change whose answer was lost.
type reply struct {
	unknown     bool
	enabled     bool   // Encrypt: it succeeded
	description string // DescribeKey's
}

// keyState is a key, as far as the history is concerned.
type keyState struct {
	enabled     bool
	description string
}

// model is how a single key behaves that does one thing at a time.
func model() porcupine.Model {
	sequential := porcupine.NondeterministicModel{
		Init: func() []any { return []any{keyState{enabled: true}} },
		Step: func(state, input, output any) []any {
			return step(state.(keyState), input.(question), output.(reply))
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%v → %+v", input, output) },
	}
	m := sequential.ToModel()
	m.Partition = byKey
	return m
}

// step answers the states that a key may be in after an operation: none where
// the reply cannot be, two where nobody knows whether the change happened.
func step(before keyState, q question, r reply) []any {
	after := before
	switch q.op {
	case opDescribe:
		if r.enabled != before.enabled || r.description != before.description {
			return nil
		}
	case opEncrypt:
		if r.enabled != before.enabled {
			return nil
		}
	case opDisable:
		after.enabled = false
	case opEnable:
		after.enabled = true
	case opDescription:
		after.description = q.description
	}
	if r.unknown {
		return []any{before, after}
	}
	return []any{after}
}

func byKey(history []porcupine.Operation) [][]porcupine.Operation {
	parts := make(map[string][]porcupine.Operation)
	for _, op := range history {
		key := op.Input.(question).key
		parts[key] = append(parts[key], op)
	}
	var all [][]porcupine.Operation
	for _, part := range parts {
		all = append(all, part)
	}
	return all
}

// history is clients that ask and note.
type history struct {
	progress
	clients []*kms.Client
	keys    []string
	began   time.Time
	stop    context.CancelFunc
	wait    sync.WaitGroup

	mu  sync.Mutex
	ops []porcupine.Operation
}

func startHistory(t *testing.T, c *rig.Cluster) *history {
	t.Helper()
	const keys, clients = 8, 12
	ctx, cancel := context.WithCancel(t.Context())
	h := &history{progress: progress{t: t}, clients: c.Clients(t), began: time.Now(), stop: cancel}
	for range keys {
		h.keys = append(h.keys, newKey(t, h.clients[0]))
	}
	for id := range clients {
		h.wait.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				h.ask(context.WithoutCancel(ctx), id, n)
			}
		})
	}
	t.Cleanup(h.end)
	return h
}

func (h *history) end() {
	h.stop()
	h.wait.Wait()
}

// ask asks one question and notes what came of it.
func (h *history) ask(ctx context.Context, id, n int) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	q := question{key: h.keys[rand.IntN(len(h.keys))]}
	client := h.clients[rand.IntN(len(h.clients))]
	ops := []string{opDescribe, opDescribe, opEncrypt, opEncrypt, opDisable, opEnable, opEnable, opDescription}
	if q.op = ops[rand.IntN(len(ops))]; q.op == opDescription {
		q.description = fmt.Sprintf("client %d, question %d", id, n)
	}
	asked := time.Since(h.began)
	r, err := q.ask(ctx, client)
	answered := int64(time.Since(h.began))
	switch {
	case err == nil:
		h.successes.Add(1)
	case errors.Is(err, syscall.ECONNREFUSED):
		return // nobody heard it
	case !lost(err) && !retryable(err):
		h.t.Errorf("%v: %v", q, err)
		return
	case q.op == opDescribe || q.op == opEncrypt:
		return // a lost answer to it says nothing
	default:
		r.unknown, answered = true, math.MaxInt64 // it may happen at any time from now on
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: id, Input: q, Call: int64(asked), Output: r, Return: answered})
}

func (q question) ask(ctx context.Context, client *kms.Client) (r reply, err error) {
	switch q.op {
	case opDescribe:
		out, err := client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &q.key})
		if err != nil {
			return r, err
		}
		return reply{enabled: out.KeyMetadata.Enabled, description: *out.KeyMetadata.Description}, nil
	case opEncrypt:
		_, err := client.Encrypt(ctx, &kms.EncryptInput{KeyId: &q.key, Plaintext: []byte("x")})
		if code(err) == "DisabledException" {
			return r, nil
		}
		return reply{enabled: true}, err
	case opDisable:
		_, err = client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &q.key})
	case opEnable:
		_, err = client.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &q.key})
	case opDescription:
		_, err = client.UpdateKeyDescription(ctx, &kms.UpdateKeyDescriptionInput{KeyId: &q.key, Description: &q.description})
	}
	return r, err
}

// judge ends the history and has it judged. One that has no explanation is drawn
// as a page for the eye (go test -artifacts).
func (h *history) judge() {
	h.t.Helper()
	h.end()
	m := model()
	verdict, info := porcupine.CheckOperationsVerbose(m, h.ops, 2*time.Minute)
	if verdict == porcupine.Ok {
		h.t.Logf("%d operations on %d keys have an explanation", len(h.ops), len(h.keys))
		return
	}
	page := filepath.Join(h.t.ArtifactDir(), "history.html")
	if err := porcupine.VisualizePath(m, info, page); err != nil {
		h.t.Error(err)
	}
	h.t.Errorf("%d operations: %v; see %s", len(h.ops), verdict, page)
}

// TestModelRefusesStaleReads shows that the judgement can fail.
func TestModelRefusesStaleReads(t *testing.T) {
	at := func(call int64, op string, r reply) porcupine.Operation {
		return porcupine.Operation{Input: question{key: "k", op: op}, Call: call, Output: r, Return: call + 1}
	}
	disable := at(1, opDisable, reply{})
	lost := at(1, opDisable, reply{unknown: true})
	lost.Return = math.MaxInt64
	for name, test := range map[string]struct {
		ops  []porcupine.Operation
		want bool
	}{
		"refused after it":         {[]porcupine.Operation{disable, at(3, opEncrypt, reply{})}, true},
		"succeeded after it":       {[]porcupine.Operation{disable, at(3, opEncrypt, reply{enabled: true})}, false},
		"lost, and happened later": {[]porcupine.Operation{lost, at(3, opEncrypt, reply{enabled: true}), at(5, opEncrypt, reply{})}, true},
		"lost, and came undone":    {[]porcupine.Operation{lost, at(3, opEncrypt, reply{}), at(5, opEncrypt, reply{enabled: true})}, false},
	} {
		if porcupine.CheckOperations(model(), test.ops) != test.want {
			t.Errorf("%s: not %v", name, test.want)
		}
	}
}
