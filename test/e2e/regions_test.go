package e2e

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/cofre-kms/cofre/test/rig"
)

// TestAWSCLIInRegions runs the script testdata/regions.txtar against a cluster.
func TestAWSCLIInRegions(t *testing.T) {
	needAWSCLI(t)
	runScript(t, rig.Start(t, rig.Config{Binary: binary}), "regions.txtar")
}

// at is an operation in a Region.
func at[In, Out any](region string, op operation[In, Out]) operation[In, Out] {
	return func(c *kms.Client, ctx context.Context, in *In, more ...func(*kms.Options)) (*Out, error) {
		return op(c, ctx, in, append(more, func(o *kms.Options) { o.Region = region })...)
	}
}

// TestRegions uses a multi-Region key in three Regions on three nodes, rotates it
// and deletes it, replicas first, while months pass.
func TestRegions(t *testing.T) {
	c := rig.Start(t, rig.Config{Binary: buildTestClock(t)})
	s := &scenario{t: t, ctx: t.Context(), clients: c.Clients(t), secrets: c.Secrets}
	all := []string{rig.Region, rig.West, rig.Europe}
	id := aws.ToString(call(s, (*kms.Client).CreateKey, &kms.CreateKeyInput{MultiRegion: aws.Bool(true)}).KeyMetadata.KeyId)
	sealed := []ciphertext{s.seal(id)}
	for _, region := range all[1:] {
		call(s, (*kms.Client).ReplicateKey, &kms.ReplicateKeyInput{KeyId: &id, ReplicaRegion: &region})
	}
	call(s, (*kms.Client).EnableKeyRotation, &kms.EnableKeyRotationInput{KeyId: &id, RotationPeriodInDays: aws.Int32(90)})
	for round := range 2 {
		for _, region := range all {
			plaintext := c.Secrets.Plaintext(32)
			out := again(s, at(region, (*kms.Client).Encrypt), &kms.EncryptInput{KeyId: &id, Plaintext: plaintext})
			sealed = append(sealed, ciphertext{out.CiphertextBlob, plaintext})
		}
		c.Pass(t, 91*day)
		s.awaitRotations(id, round+1)
	}
	for _, region := range all {
		for _, ct := range sealed {
			out := again(s, at(region, (*kms.Client).Decrypt), &kms.DecryptInput{CiphertextBlob: ct.blob})
			if !bytes.Equal(out.Plaintext, ct.plaintext) {
				t.Errorf("in %s a ciphertext opens as something else", region)
			}
		}
	}
	call(s, (*kms.Client).UpdatePrimaryRegion, &kms.UpdatePrimaryRegionInput{KeyId: &id, PrimaryRegion: aws.String(rig.Europe)})
	wantEvents(t, c, "RotateKey", 2)
	wantEvents(t, c, "CreateKey", 2)
	wantEvents(t, c, "UpdatePrimaryRegion", 1)
	wantEvents(t, c, "SynchronizeMultiRegionKey", 3)
	s.deleteEverywhere(c, id)
}

// deleteEverywhere deletes a key whose primary is in Europe.
func (s *scenario) deleteEverywhere(c *rig.Cluster, id string) {
	week := aws.Int32(7)
	for _, region := range []string{rig.Europe, rig.Region, rig.West} {
		out := call(s, at(region, (*kms.Client).ScheduleKeyDeletion), &kms.ScheduleKeyDeletionInput{KeyId: &id, PendingWindowInDays: week})
		if waits := out.DeletionDate == nil && out.KeyState == types.KeyStatePendingReplicaDeletion; waits != (region == rig.Europe) {
			s.t.Errorf("in %s: %+v", region, out)
		}
	}
	c.Pass(s.t, 8*day)
	s.await(id, rig.Region, "")
	s.await(id, rig.West, "")
	s.await(id, rig.Europe, types.KeyStatePendingDeletion)
	c.Pass(s.t, 8*day)
	s.await(id, rig.Europe, "")
	wantEvents(s.t, c, "DeleteKey", 3)
}

// await waits until a key is in a state, "" where it is to be gone.
func (s *scenario) await(id, region string, want types.KeyState) {
	s.t.Helper()
	rig.Await(s.t, workLimit, fmt.Sprintf("the key in %s to be %q", region, want), func() error {
		out, err := at(region, (*kms.Client).DescribeKey)(s.on(), context.Background(), &kms.DescribeKeyInput{KeyId: &id})
		if want == "" && code(err) == "NotFoundException" {
			return nil
		}
		if err == nil && out.KeyMetadata.KeyState != want {
			err = fmt.Errorf("the key is %s", out.KeyMetadata.KeyState)
		}
		return err
	})
}
