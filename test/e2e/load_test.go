package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/cofre-kms/cofre/test/rig"
)

const (
	// callLimit is how long a client waits for an answer; Cofre gives up earlier.
	callLimit = 20 * time.Second
	// loadClients call at the same time, each on whichever node it likes.
	loadClients = 8
	// loadInterval is the time between calls of all clients together, so that what
	// is acknowledged can be verified in the time of a test.
	loadInterval = 3 * time.Millisecond
)

// progress counts the calls of any kind that succeeded.
type progress struct {
	t         *testing.T
	successes atomic.Int64
}

// awaitProgress returns when some more calls have succeeded.
func (p *progress) awaitProgress(calls int64) {
	p.t.Helper()
	want := p.successes.Load() + calls
	rig.Await(p.t, time.Minute, "calls that succeed", func() error {
		if have := p.successes.Load(); have < want {
			return fmt.Errorf("%d of %d have succeeded", have, want)
		}
		return nil
	})
}

// load is clients that create keys, encrypt and decrypt on all nodes, and
// remember what was acknowledged.
type load struct {
	progress
	clients []*kms.Client
	secrets *rig.Secrets
	// allowed judges the errors that may happen while nodes are killed.
	allowed func(error) bool

	mu     sync.Mutex
	keys   []string
	sealed []sealed

	stop context.CancelFunc
	wait sync.WaitGroup
}

// sealed is an acknowledged ciphertext.
type sealed struct{ key, plaintext, blob string }

// startLoad begins to call. An error that allowed does not accept fails the test.
func startLoad(t *testing.T, c *rig.Cluster, allowed func(error) bool) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{progress: progress{t: t}, clients: c.Clients(t), secrets: c.Secrets, allowed: allowed, stop: cancel}
	if err := l.create(ctx, l.clients[0]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.end)
	ticker := time.NewTicker(loadInterval)
	l.wait.Go(func() {
		<-ctx.Done()
		ticker.Stop()
	})
	for range loadClients {
		l.wait.Go(func() { l.run(ctx, ticker.C) })
	}
	return l
}

// end lets the calls under way finish and stops.
func (l *load) end() {
	l.stop()
	l.wait.Wait()
}

func (l *load) run(ctx context.Context, tick <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		client := l.clients[rand.IntN(len(l.clients))]
		err := l.call(context.WithoutCancel(ctx), client)
		switch {
		case err == nil:
			l.successes.Add(1)
		case !l.allowed(err):
			l.t.Errorf("under load: %v", err)
		}
	}
}

// call makes one call: mostly Encrypt and Decrypt.
func (l *load) call(ctx context.Context, client *kms.Client) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	switch p := rand.IntN(100); {
	case p < 10:
		return l.create(ctx, client)
	case p < 60:
		return l.encrypt(ctx, client)
	case p < 90:
		return l.decrypt(ctx, client, pick(l, &l.sealed))
	default:
		_, err := client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: pick(l, &l.keys)})
		return err
	}
}

// pick answers one of what was acknowledged, nil where nothing was yet.
func pick[T any](l *load, from *[]T) *T {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(*from) == 0 {
		return nil
	}
	return &(*from)[rand.IntN(len(*from))]
}

func (l *load) create(ctx context.Context, client *kms.Client) error {
	out, err := client.CreateKey(ctx, &kms.CreateKeyInput{Description: aws.String("under load")})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys = append(l.keys, *out.KeyMetadata.KeyId)
	return nil
}

func (l *load) encrypt(ctx context.Context, client *kms.Client) error {
	key, plaintext := *pick(l, &l.keys), l.secrets.Plaintext(64)
	out, err := client.Encrypt(ctx, &kms.EncryptInput{KeyId: &key, Plaintext: plaintext})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealed = append(l.sealed, sealed{key, string(plaintext), string(out.CiphertextBlob)})
	return nil
}

func (l *load) decrypt(ctx context.Context, client *kms.Client, s *sealed) error {
	if s == nil {
		return nil
	}
	out, err := client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: []byte(s.blob)})
	if err != nil {
		return err
	}
	if !bytes.Equal(out.Plaintext, []byte(s.plaintext)) {
		l.t.Errorf("a ciphertext of key %s decrypts to something else", s.key)
	}
	return nil
}

// verify ends the load and demands that every node has all that was acknowledged.
func (l *load) verify() {
	l.t.Helper()
	l.end()
	l.t.Logf("%d calls succeeded; %d keys and %d ciphertexts acknowledged",
		l.successes.Load(), len(l.keys), len(l.sealed))
	for _, client := range l.clients {
		parallel(l.keys, func(key string) {
			if _, err := client.DescribeKey(l.t.Context(), &kms.DescribeKeyInput{KeyId: &key}); err != nil {
				l.t.Errorf("acknowledged key %s: %v", key, err)
			}
		})
		parallel(l.sealed, func(s sealed) {
			if err := l.decrypt(l.t.Context(), client, &s); err != nil {
				l.t.Errorf("acknowledged ciphertext of %s: %v", s.key, err)
			}
		})
	}
}

// parallel calls do for all items, loadClients at a time.
func parallel[T any](items []T, do func(T)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range loadClients {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(items)); i = next.Add(1) - 1 {
				do(items[i])
			}
		})
	}
	wait.Wait()
}
