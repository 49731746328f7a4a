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
					if _, err := client.GenerateDataKey(t.Context(), dataKeyOf(key)); err != nil {
						t.Errorf("while the key is rotated: %v", err)
						return
					}
				}
			})
		}
		seen := map[string]int{}
		for round := range rotations {
			if _, err := clients[round%3].RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &key}); err != nil {
				t.Fatal(err)
			}
			var current string
			for i, client := range clients {
				out, err := client.GenerateDataKey(t.Context(), dataKeyOf(key))
				if err != nil {
					t.Fatal(err)
				}
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
		wantEvents(t, c, "RotateKey", rotations)
	})
}

func dataKeyOf(key string) *kms.GenerateDataKeyInput {
	return &kms.GenerateDataKeyInput{KeyId: &key, KeySpec: types.DataKeySpecAes256}
}
