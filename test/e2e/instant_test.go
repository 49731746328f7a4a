package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

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
	eachCluster(t, func(t *testing.T, c *rig.Cluster) {
		clients := c.Clients(t)
		key := newKey(t, clients[0])
		ctx, stop := context.WithCancel(t.Context())
		results := make(chan []attempt)
		var encrypting sync.WaitGroup
		for i := range 6 {
			use := func(ctx context.Context) error {
				_, err := clients[i%3].Encrypt(ctx, &kms.EncryptInput{KeyId: &key, Plaintext: c.Secrets.Plaintext(32)})
				return err
			}
			encrypting.Go(func() { results <- useUntil(ctx, t, use, "DisabledException") })
		}
		var disabled, enabled []switching
		for range *rounds {
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

// useUntil uses a key until it is told to stop. Every use succeeds or is refused
// with one code.
func useUntil(ctx context.Context, t *testing.T, use func(context.Context) error, refusal string) []attempt {
	var all []attempt
	for ctx.Err() == nil {
		a := attempt{sent: time.Now()}
		err := use(context.WithoutCancel(ctx))
		a.seen, a.succeeded = time.Now(), err == nil
		if err != nil && code(err) != refusal {
			t.Errorf("while it is forbidden and allowed: %v", err)
			return all
		}
		all = append(all, a)
	}
	return all
}

// compare holds attempts against the changes: one that lies wholly between the
// acknowledgement of a change and the request for the next has one right answer.
func compare(t *testing.T, attempts []attempt, forbidden, allowed []switching) {
	t.Helper()
	inForbidden, inAllowed := 0, 0
	for _, a := range attempts {
		for i := range forbidden {
			if a.sent.After(forbidden[i].seen) && a.seen.Before(allowed[i].sent) {
				inForbidden++
				if a.succeeded {
					t.Errorf("round %d: a use succeeded, sent %v after it was acknowledged to be forbidden", i, a.sent.Sub(forbidden[i].seen))
				}
			}
			if i+1 < len(forbidden) && a.sent.After(allowed[i].seen) && a.seen.Before(forbidden[i+1].sent) {
				inAllowed++
				if !a.succeeded {
					t.Errorf("round %d: a use was refused, sent %v after it was acknowledged to be allowed", i, a.sent.Sub(allowed[i].seen))
				}
			}
		}
	}
	t.Logf("%d attempts; %d while forbidden, %d while allowed", len(attempts), inForbidden, inAllowed)
}

// TestRevokeActsAtOnce is the same of grants: a Decrypt by the right of a grant
// that is sent, to whatever node, after RevokeGrant or RetireGrant was acknowledged
// is refused, and one that is sent after CreateGrant was acknowledged succeeds,
// without a grant token.
func TestRevokeActsAtOnce(t *testing.T) {
	eachCluster(t, func(t *testing.T, c *rig.Cluster) {
		owners, grantees := c.Clients(t), make([]*kms.Client, len(c.Nodes))
		for i, n := range c.Nodes {
			grantees[i] = c.Client(t, n, c.Second)
		}
		key := newKey(t, owners[0])
		sealed, err := owners[0].Encrypt(t.Context(), &kms.EncryptInput{KeyId: &key, Plaintext: c.Secrets.Plaintext(32)})
		if err != nil {
			t.Fatal(err)
		}
		decrypt := func(ctx context.Context, client *kms.Client) error {
			_, err := client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, KeyId: sealed.KeyId})
			return err
		}
		grant := func(client *kms.Client) (made *kms.CreateGrantOutput, when switching) {
			when.sent = time.Now()
			made, err := client.CreateGrant(t.Context(), &kms.CreateGrantInput{
				KeyId: sealed.KeyId, GranteePrincipal: &c.Second.AccountID,
				Operations: []types.GrantOperation{types.GrantOperationDecrypt, types.GrantOperationRetireGrant},
			})
			if err != nil {
				t.Fatal(err)
			}
			when.seen = time.Now()
			return made, when
		}
		current, _ := grant(owners[0])
		ctx, stop := context.WithCancel(t.Context())
		results := make(chan []attempt)
		var using sync.WaitGroup
		for i := range 6 {
			use := func(ctx context.Context) error { return decrypt(ctx, grantees[i%3]) }
			using.Go(func() { results <- useUntil(ctx, t, use, "AccessDeniedException") })
		}
		var ended, granted []switching
		for i := range *rounds {
			if i%2 == 0 {
				ended = append(ended, change(t, owners[i/2%3].RevokeGrant, &kms.RevokeGrantInput{KeyId: sealed.KeyId, GrantId: current.GrantId}))
			} else {
				ended = append(ended, change(t, grantees[i/2%3].RetireGrant, &kms.RetireGrantInput{GrantToken: current.GrantToken}))
			}
			for _, client := range grantees {
				wantCode(t, decrypt(t.Context(), client), "AccessDeniedException")
			}
			made, when := grant(owners[i%3])
			current, granted = made, append(granted, when)
			for _, client := range grantees {
				if err := decrypt(t.Context(), client); err != nil {
					t.Errorf("after CreateGrant: %v", err)
				}
			}
		}
		stop()
		for range 6 {
			compare(t, <-results, ended, granted)
		}
		using.Wait()
	})
}
