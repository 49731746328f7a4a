package e2e

import (
	"context"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/cofre-kms/cofre/test/rig"
)

// keyPolicy is a key policy that leaves the key to its account, with one more
// statement where it is not empty.
func keyPolicy(owner, statement string) string {
	if statement != "" {
		statement = "," + statement
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + owner +
		`"},"Action":"kms:*","Resource":"*"}` + statement + `]}`
}

// TestKeyPolicyActsAtOnce: a Decrypt that is sent, to whatever node, after the
// acknowledgement of a PutKeyPolicy that forbids it is refused, whether the new
// policy says nothing of the caller or denies it; and one that is sent after the
// acknowledgement of a policy that allows it succeeds. The callers are of another
// account.
func TestKeyPolicyActsAtOnce(t *testing.T) {
	eachCluster(t, func(t *testing.T, c *rig.Cluster) {
		owners, others := c.Clients(t), make([]*kms.Client, len(c.Nodes))
		for i, n := range c.Nodes {
			others[i] = c.Client(t, n, c.Second)
		}
		key := newKey(t, owners[0])
		share := `{"Effect":"Allow","Principal":{"AWS":"` + c.Second.AccountID + `"},"Action":"kms:Decrypt","Resource":"*"}`
		deny := `{"Effect":"Deny","Principal":{"AWS":"` + c.Second.AccountID + `"},"Action":"kms:*","Resource":"*"}`
		put := func(i int, statement string) switching {
			policy := keyPolicy(c.Admin.AccountID, statement)
			return change(t, owners[i%3].PutKeyPolicy, &kms.PutKeyPolicyInput{KeyId: &key, Policy: &policy})
		}
		put(0, share)
		sealed, err := owners[0].Encrypt(t.Context(), &kms.EncryptInput{KeyId: &key, Plaintext: c.Secrets.Plaintext(32)})
		if err != nil {
			t.Fatal(err)
		}
		decrypt := func(ctx context.Context, client *kms.Client) error {
			_, err := client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, KeyId: sealed.KeyId})
			return err
		}
		ctx, stop := context.WithCancel(t.Context())
		results := make(chan []attempt)
		var using sync.WaitGroup
		for i := range 6 {
			use := func(ctx context.Context) error { return decrypt(ctx, others[i%3]) }
			using.Go(func() { results <- useUntil(ctx, t, use, "AccessDeniedException") })
		}
		var forbidden, allowed []switching
		for i := range *rounds {
			forbidden = append(forbidden, put(i, []string{"", share + "," + deny}[i%2]))
			for _, client := range others {
				wantCode(t, decrypt(t.Context(), client), "AccessDeniedException")
			}
			allowed = append(allowed, put(i+1, share))
			for _, client := range others {
				if err := decrypt(t.Context(), client); err != nil {
					t.Errorf("after PutKeyPolicy: %v", err)
				}
			}
		}
		stop()
		for range 6 {
			compare(t, <-results, forbidden, allowed)
		}
		using.Wait()
	})
}
