package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/cofre-kms/cofre/test/rig"
)

// TestNoQuorumNoAnswer takes two of three nodes away: no operation succeeds, not
// even one that only reads, and clients are told to try again before they give
// up by themselves. Service returns when one node returns.
func TestNoQuorumNoAnswer(t *testing.T) {
	c := rig.Start(t, rig.Config{Binary: binary})
	for _, how := range []struct {
		name             string
		away, back       func(*rig.Node) error
		leaderIsSurvivor bool
	}{
		{"killed, the leader is left", kill, (*rig.Node).Start, true},
		{"killed, a follower is left", kill, (*rig.Node).Start, false},
		{"paused, the leader is left", (*rig.Node).Pause, (*rig.Node).Resume, true},
		{"paused, a follower is left", (*rig.Node).Pause, (*rig.Node).Resume, false},
	} {
		t.Run(how.name, func(t *testing.T) {
			clients := c.Clients(t)
			key := newKey(t, clients[0])
			survivor := c.Leader(t)
			if !how.leaderIsSurvivor {
				survivor = c.Others(survivor)[0]
			}
			gone := c.Others(survivor)
			for _, n := range gone {
				must(t, how.away(n))
			}
			nothingSucceeds(t, c.Client(t, survivor, c.Admin), key)
			must(t, how.back(gone[0]))
			for _, n := range []*rig.Node{survivor, gone[0]} {
				serviceReturns(t, c.Client(t, n, c.Admin), key)
			}
			must(t, how.back(gone[1]))
			c.Await(t)
		})
	}
}

func kill(n *rig.Node) error {
	n.Kill()
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// nothingSucceeds calls operations of each sort at the same time.
func nothingSucceeds(t *testing.T, client *kms.Client, key string) {
	ctx, cancel := context.WithTimeout(t.Context(), callLimit)
	defer cancel()
	parallel([]func() error{
		func() error { return result(client.CreateKey(ctx, &kms.CreateKeyInput{})) },
		func() error { return result(client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key})) },
		func() error { return result(client.ListKeys(ctx, &kms.ListKeysInput{})) },
		func() error { return result(client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &key})) },
		func() error { return result(client.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &key})) },
		func() error {
			return result(client.Encrypt(ctx, &kms.EncryptInput{KeyId: &key, Plaintext: []byte("x")}))
		},
		func() error {
			return result(client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: new("alias/does-not-exist")}))
		},
	}, func(op func() error) {
		if err := op(); !retryable(err) {
			t.Errorf("without a quorum: %v, want an error that clients retry", err)
		}
	})
}

func result[T any](_ T, err error) error { return err }

// serviceReturns waits until a key can be used again.
func serviceReturns(t *testing.T, client *kms.Client, key string) {
	t.Helper()
	rig.Await(t, time.Minute, "service to return", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), callLimit)
		defer cancel()
		_, err := client.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &key})
		if err == nil {
			_, err = client.Encrypt(ctx, &kms.EncryptInput{KeyId: &key, Plaintext: []byte("x")})
		}
		if err != nil && !lost(err) && !retryable(err) {
			return errors.Join(errors.New("an error that clients do not retry"), err)
		}
		return err
	})
}
