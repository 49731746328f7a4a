package e2e

import (
	"context"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/cofre-kms/cofre/test/rig"
)

// TestRotationActsAtOnce holds promise P2 against nodes that never stop using a
// key: once a rotation on demand is acknowledged, no node makes a data key under
// older material.
func TestRotationActsAtOnce(t *testing.T) {
	const rotations = 25 // as many as a key can have
	eachCluster(t, func(t *testing.T, c *rig.Cluster) {
		clients := c.Clients(t)
		key := newKey(t, clients[0])
		ctx, stop := context.WithCancel(t.Context())
		var using sync.WaitGroup
		for _, client := range clients {
			using.Go(func() {
				for ctx.Err() == nil {
					if _, err := client.GenerateDataKey(t.Context(), dataKeyOf(key)); err != nil && !retryable(err) {
						t.Errorf("while the key is rotated: %v", err)
						return
					}
				}
			})
		}
		seen := map[string]int{}
		for round := range rotations {
			_, err := clients[round%3].RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &key})
			if retryable(err) {
				continue // nobody knows whether it rotated
			} else if err != nil {
				t.Fatal(err)
			}
			var current string
			for i, client := range clients {
				on := &scenario{t: t, ctx: t.Context(), clients: []*kms.Client{client}}
				out := again(on, (*kms.Client).GenerateDataKey, dataKeyOf(key))
				if material := *out.KeyMaterialId; i == 0 {
					current = material
				} else if material != current {
					t.Errorf("rotation %d: node %d uses %s, node 1 %s", round+1, i+1, material, current)
				}
			}
			if before, known := seen[current]; known {
				t.Errorf("rotation %d: a data key under the material of rotation %d", round+1, before)
			}
			seen[current] = round + 1
		}
		stop()
		using.Wait()
		on := &scenario{t: t, ctx: t.Context(), clients: clients}
		done := again(on, (*kms.Client).ListKeyRotations, &kms.ListKeyRotationsInput{KeyId: &key})
		if len(done.Rotations) < len(seen) {
			t.Errorf("%d rotations, %d were acknowledged", len(done.Rotations), len(seen))
		}
		wantEvents(t, c, "RotateKey", len(done.Rotations))
	})
}

func dataKeyOf(key string) *kms.GenerateDataKeyInput {
	return &kms.GenerateDataKeyInput{KeyId: &key, KeySpec: types.DataKeySpecAes256}
}
