package e2e

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/cofre-kms/cofre/test/rig"
)

// TestKillTheLeaderUnderLoad kills the leader again and again while clients call
// all nodes. What was acknowledged must be there afterwards; that every answer
// has exactly one record and the replicas are identical is part of the check
// after every test.
func TestKillTheLeaderUnderLoad(t *testing.T) {
	const rounds = 10
	eachCluster(t, func(t *testing.T, c *rig.Cluster) {
		l := startLoad(t, c, func(err error) bool { return lost(err) || retryable(err) })
		for range rounds {
			leader := c.Leader(t)
			leader.Kill()
			l.awaitProgress(100)
			if err := leader.Start(); err != nil {
				t.Fatal(err)
			}
			c.Await(t)
			l.awaitProgress(100)
		}
		l.verify()
	})
}

// TestLeaderKillToNextSuccess measures how long clients wait when the leader is
// killed: until the first of the surviving nodes, and until the last of them,
// answers again.
func TestLeaderKillToNextSuccess(t *testing.T) {
	const rounds = 20
	c := rig.Start(t, rig.Config{Binary: binary})
	clients := c.Clients(t)
	key := newKey(t, clients[0])
	var first, last []time.Duration
	for range rounds {
		leader := c.Leader(t)
		killed := time.Now()
		leader.Kill()
		waits := nextSuccesses(t, killed, key, clients, slices.Index(c.Nodes, leader))
		first, last = append(first, slices.Min(waits)), append(last, slices.Max(waits))
		if err := leader.Start(); err != nil {
			t.Fatal(err)
		}
		c.Await(t)
	}
	report(t, "first node", first)
	report(t, "all nodes", last)
}

// nextSuccesses calls all nodes but one until each answers, and says how long
// after the kill each did.
func nextSuccesses(t *testing.T, killed time.Time, key string, clients []*kms.Client, not int) []time.Duration {
	var (
		mu    sync.Mutex
		wait  sync.WaitGroup
		waits []time.Duration
	)
	for i, client := range clients {
		if i == not {
			continue
		}
		wait.Go(func() {
			err := rig.Poll(t.Context(), func() error {
				ctx, cancel := context.WithTimeout(t.Context(), callLimit)
				defer cancel()
				_, err := client.Encrypt(ctx, &kms.EncryptInput{KeyId: &key, Plaintext: []byte("x")})
				return err
			})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			waits = append(waits, time.Since(killed))
		})
	}
	wait.Wait()
	return waits
}

func report(t *testing.T, what string, waits []time.Duration) {
	slices.Sort(waits)
	t.Logf("leader kill to next success, %s: median %v, worst of %d %v", what,
		waits[len(waits)/2].Round(time.Millisecond), len(waits), waits[len(waits)-1].Round(time.Millisecond))
}

func newKey(t testing.TB, client *kms.Client) string {
	t.Helper()
	out, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	return *out.KeyMetadata.KeyId
}
