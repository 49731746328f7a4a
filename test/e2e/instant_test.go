package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/cofre-kms/cofre/test/rig"
)

// attempt is one Encrypt: when it was sent, when its answer came, and whether it
// succeeded.
type attempt struct {
	sent, seen time.Time
	succeeded  bool
}

// switching is the time from the request to the acknowledgement of a change.
type switching struct{ sent, seen time.Time }

// TestDisableActsAtOnce holds promise P2 against clients that never stop: an
// Encrypt that is sent after DisableKey was acknowledged, on whatever node, is
// refused, and one that is sent after EnableKey was acknowledged succeeds.
func TestDisableActsAtOnce(t *testing.T) {
	const rounds = 100
	eachCluster(t, func(t *testing.T, c *rig.Cluster) {
		clients := c.Clients(t)
		key := newKey(t, clients[0])
		ctx, stop := context.WithCancel(t.Context())
		results := make(chan []attempt)
		var encrypting sync.WaitGroup
		for i := range 6 {
			encrypting.Go(func() { results <- encryptUntil(ctx, t, clients[i%3], key, c.Secrets) })
		}
		var disabled, enabled []switching
		for range rounds {
			disabled = append(disabled, change(t, clients[0].DisableKey, &kms.DisableKeyInput{KeyId: &key}))
			for _, client := range clients {
				_, err := client.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &key, Plaintext: []byte("x")})
				wantCode(t, err, "DisabledException")
			}
			enabled = append(enabled, change(t, clients[0].EnableKey, &kms.EnableKeyInput{KeyId: &key}))
			for _, client := range clients {
				if _, err := client.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &key, Plaintext: []byte("x")}); err != nil {
					t.Errorf("after EnableKey: %v", err)
				}
			}
		}
		stop()
		for range 6 {
			compare(t, <-results, disabled, enabled)
		}
		encrypting.Wait()
	})
}

// change makes a change that must succeed.
func change[In, Out any](t *testing.T, op func(context.Context, *In, ...func(*kms.Options)) (*Out, error), in *In) switching {
	t.Helper()
	s := switching{sent: time.Now()}
	if _, err := op(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	s.seen = time.Now()
	return s
}

func encryptUntil(ctx context.Context, t *testing.T, client *kms.Client, key string, secrets *rig.Secrets) []attempt {
	var all []attempt
	for ctx.Err() == nil {
		a := attempt{sent: time.Now()}
		_, err := client.Encrypt(context.WithoutCancel(ctx), &kms.EncryptInput{KeyId: &key, Plaintext: secrets.Plaintext(32)})
		a.seen, a.succeeded = time.Now(), err == nil
		if err != nil && code(err) != "DisabledException" {
			t.Errorf("while the key is disabled and enabled: %v", err)
			return all
		}
		all = append(all, a)
	}
	return all
}

// compare holds attempts against the changes: one that lies wholly between the
// acknowledgement of a change and the request for the next has one right answer.
func compare(t *testing.T, attempts []attempt, disabled, enabled []switching) {
	t.Helper()
	inDisabled, inEnabled := 0, 0
	for _, a := range attempts {
		for i := range disabled {
			if a.sent.After(disabled[i].seen) && a.seen.Before(enabled[i].sent) {
				inDisabled++
				if a.succeeded {
					t.Errorf("round %d: Encrypt succeeded, sent %v after DisableKey was acknowledged", i, a.sent.Sub(disabled[i].seen))
				}
			}
			if i+1 < len(disabled) && a.sent.After(enabled[i].seen) && a.seen.Before(disabled[i+1].sent) {
				inEnabled++
				if !a.succeeded {
					t.Errorf("round %d: Encrypt was refused, sent %v after EnableKey was acknowledged", i, a.sent.Sub(enabled[i].seen))
				}
			}
		}
	}
	t.Logf("%d attempts; %d while disabled, %d while enabled", len(attempts), inDisabled, inEnabled)
}
