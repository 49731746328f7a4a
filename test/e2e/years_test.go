package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/cofre-kms/cofre/test/rig"
)

const (
	workLimit = 60 * time.Second // for the steward to do what is due
	day       = 24 * time.Hour
)

// TestYearsPass lets years pass on three nodes, one of which is killed: keys are
// rotated once for each period, and deleted when their window ends; imported
// material expires; whatever was encrypted opens on every node.
func TestYearsPass(t *testing.T) {
	c := rig.Start(t, rig.Config{Binary: buildTestClock(t)})
	s := &scenario{t: t, ctx: t.Context(), clients: c.Clients(t), secrets: c.Secrets}
	yearly, quarterly, never, doomed := s.createKey("yearly"), s.createKey("quarterly"), s.createKey("never"), s.createKey("doomed")
	call(s, (*kms.Client).EnableKeyRotation, &kms.EnableKeyRotationInput{KeyId: &yearly})
	call(s, (*kms.Client).EnableKeyRotation, &kms.EnableKeyRotationInput{KeyId: &quarterly, RotationPeriodInDays: aws.Int32(90)})
	call(s, (*kms.Client).ScheduleKeyDeletion, &kms.ScheduleKeyDeletionInput{KeyId: &doomed, PendingWindowInDays: aws.Int32(7)})
	brought, material := s.importedKey(), c.Secrets.Plaintext(32)
	s.bring(brought, material, &kms.ImportKeyMaterialInput{ValidTo: aws.Time(time.Now().Add(100 * day))})
	sealed := []ciphertext{s.seal(brought)}
	for year := range 4 {
		for _, key := range []string{yearly, quarterly, never} {
			sealed = append(sealed, s.seal(key), s.sealDataKey(key))
		}
		if year == 2 {
			c.Leader(t).Kill()
			c.Leader(t)
		}
		c.Pass(t, 366*day)
		s.awaitRotations(yearly, year+1)
		s.awaitRotations(quarterly, year+1) // once for the periods that nobody saw end
		c.Revive(t)
	}
	fails(s, "KMSInvalidStateException", (*kms.Client).Decrypt, &kms.DecryptInput{CiphertextBlob: sealed[0].blob})
	s.bring(brought, material, &kms.ImportKeyMaterialInput{ExpirationModel: types.ExpirationModelTypeKeyMaterialDoesNotExpire})
	call(s, (*kms.Client).RotateKeyOnDemand, &kms.RotateKeyOnDemandInput{KeyId: &never})
	s.awaitRotations(never, 1)
	for _, client := range s.clients {
		on := &scenario{t: t, ctx: t.Context(), clients: []*kms.Client{client}}
		for _, ct := range sealed {
			out := again(on, (*kms.Client).Decrypt, &kms.DecryptInput{CiphertextBlob: ct.blob})
			if !bytes.Equal(out.Plaintext, ct.plaintext) {
				t.Error("what was encrypted years ago opens as something else")
			}
		}
		_, err := client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &doomed})
		wantCode(t, err, "NotFoundException")
	}
	wantEvents(t, c, "RotateKey", 4+4+1)
	wantEvents(t, c, "DeleteKey", 1)
	wantEvents(t, c, "DeleteExpiredKeyMaterial", 1)
}

// importedKey makes a key without material.
func (s *scenario) importedKey() string {
	s.t.Helper()
	out := call(s, (*kms.Client).CreateKey, &kms.CreateKeyInput{Origin: types.OriginTypeExternal})
	return *out.KeyMetadata.KeyId
}

// bring imports material into a key; in says how.
func (s *scenario) bring(key string, material []byte, in *kms.ImportKeyMaterialInput) {
	s.t.Helper()
	p := call(s, (*kms.Client).GetParametersForImport, &kms.GetParametersForImportInput{
		KeyId: &key, WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: types.WrappingKeySpecRsa2048,
	})
	public, err := x509.ParsePKIXPublicKey(p.PublicKey)
	if err != nil {
		s.t.Fatal(err)
	}
	in.KeyId, in.ImportToken = &key, p.ImportToken
	in.EncryptedKeyMaterial, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, public.(*rsa.PublicKey), material, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	call(s, (*kms.Client).ImportKeyMaterial, in)
}

// buildTestClock builds nodes whose clock a test can set ahead.
func buildTestClock(t *testing.T) string {
	t.Helper()
	tagged, err := rig.Build(t.TempDir(), *raceNodes, rig.TestClock)
	if err != nil {
		t.Fatal(err)
	}
	return tagged
}

// ciphertext is what a test expects to open.
type ciphertext struct{ blob, plaintext []byte }

func (s *scenario) seal(key string) ciphertext {
	s.t.Helper()
	plaintext := s.secrets.Plaintext(32)
	out := again(s, (*kms.Client).Encrypt, &kms.EncryptInput{KeyId: &key, Plaintext: plaintext})
	return ciphertext{out.CiphertextBlob, plaintext}
}

func (s *scenario) sealDataKey(key string) ciphertext {
	s.t.Helper()
	out := again(s, (*kms.Client).GenerateDataKey, &kms.GenerateDataKeyInput{KeyId: &key, KeySpec: types.DataKeySpecAes256})
	return ciphertext{out.CiphertextBlob, out.Plaintext}
}

// again calls an operation on one node after the other until one can answer.
func again[In, Out any](s *scenario, op operation[In, Out], in *In) (out *Out) {
	s.t.Helper()
	rig.Await(s.t, workLimit, "an answer", func() (err error) {
		if out, err = op(s.on(), s.ctx, in); err != nil && !retryable(err) && !lost(err) {
			s.t.Fatal(err)
		}
		return err
	})
	return out
}

// awaitRotations waits until a key has been rotated so often.
func (s *scenario) awaitRotations(key string, want int) {
	s.t.Helper()
	rig.Await(s.t, workLimit, fmt.Sprintf("rotation %d", want), func() error {
		out, err := s.on().ListKeyRotations(context.Background(), &kms.ListKeyRotationsInput{KeyId: &key})
		if err == nil && len(out.Rotations) != want {
			err = fmt.Errorf("rotations %+v", out.Rotations)
		}
		return err
	})
}

// wantEvents waits until the ledger has as many service events of a name as are
// wanted, and no more.
func wantEvents(t *testing.T, c *rig.Cluster, name string, want int) {
	t.Helper()
	rig.Await(t, workLimit, "the records of "+name, func() error {
		l, err := c.Leader(t).Ledger()
		if err != nil {
			return err
		}
		n := 0
		for _, event := range l.Events {
			if event.EventName == name && event.EventType == "AwsServiceEvent" {
				n++
			}
		}
		if n > want {
			t.Fatalf("%d records of %s, want %d", n, name, want)
		}
		if n < want {
			return fmt.Errorf("%d of %d", n, want)
		}
		return nil
	})
}

// TestReleasesHaveNoTestClock: the clock of a release cannot be moved.
func TestReleasesHaveNoTestClock(t *testing.T) {
	for path, want := range map[string]bool{binary: false, buildTestClock(t): true} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("test-clock")) != want {
			t.Errorf("test-clock in %s: not %v", path, want)
		}
	}
	c := rig.Start(t, rig.Config{Binary: binary, Nodes: 1})
	if _, err := c.Node(1).Run("", "test-clock", "--pass", "1h"); err == nil {
		t.Error("a release has the command test-clock")
	}
}
