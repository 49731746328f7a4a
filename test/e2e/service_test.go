package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/cofre-kms/cofre/server/operator"
	"github.com/cofre-kms/cofre/test/rig"
)

// storage is a storage server as Cofre sees it: it has the credential of S3, and
// hands on the signatures of requests that its users send it.
type storage struct {
	made    operator.ServicePrincipal
	clients []*kms.Client // one a node
}

func newStorage(t *testing.T, c *rig.Cluster, n *rig.Node) *storage {
	t.Helper()
	out, err := n.Run("", "service-principal", "create", "--service", "s3.amazonaws.com", "--json")
	if err != nil {
		t.Fatal(err)
	}
	s := &storage{}
	if err := json.Unmarshal(out, &s.made); err != nil {
		t.Fatal(err)
	}
	s.clients = as(t, c, s.made.AccessKeyID, s.made.SecretAccessKey, "")
	return s
}

// asked is the proof that a user has sent the storage server a request: what it
// adds to its own calls.
func asked(t *testing.T, user rig.Credentials) func(*kms.Options) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://bucket.example.com/object", nil)
	if err != nil {
		t.Fatal(err)
	}
	empty := sha256.Sum256(nil)
	hash := hex.EncodeToString(empty[:])
	if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: user.AccessKeyID, SecretAccessKey: user.SecretAccessKey},
		r, hash, "s3", rig.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	stamp := r.Header.Get("X-Amz-Date")
	canonical := sha256.Sum256([]byte("GET\n/object\n\nhost:bucket.example.com\nx-amz-date:" + stamp + "\n\nhost;x-amz-date\n" + hash))
	return kms.WithAPIOptions(
		smithyhttp.SetHeaderValue("X-Amz-Cofre-Forwarded-Authorization", r.Header.Get("Authorization")),
		smithyhttp.SetHeaderValue("X-Amz-Cofre-Forwarded-Date", stamp),
		smithyhttp.SetHeaderValue("X-Amz-Cofre-Forwarded-Request", hex.EncodeToString(canonical[:])),
	)
}

// TestStorageServer: a storage server uses an account's managed key for the
// account's users, whom all nodes know by their signatures, and nothing else; and
// its credential ends everywhere at once.
func TestStorageServer(t *testing.T) {
	c := rig.Start(t, rig.Config{Binary: binary})
	s := newStorage(t, c, c.Nodes[0])
	proof := asked(t, c.Second)
	object := map[string]string{"aws:s3:arn": "arn:aws:s3:::bucket/object"}
	data, err := s.clients[1].GenerateDataKey(t.Context(), &kms.GenerateDataKeyInput{
		KeyId: aws.String("alias/aws/s3"), KeySpec: types.DataKeySpecAes256, EncryptionContext: object,
	}, proof)
	if err != nil {
		t.Fatal(err)
	}
	owner := c.Client(t, c.Nodes[2], c.Second)
	described, err := owner.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: data.KeyId})
	if err != nil || described.KeyMetadata.KeyManager != types.KeyManagerTypeAws || *described.KeyMetadata.AWSAccountId != c.Second.AccountID {
		t.Errorf("the key is %+v, %v", described, err)
	}
	decrypt := &kms.DecryptInput{CiphertextBlob: data.CiphertextBlob, EncryptionContext: object}
	_, err = owner.Decrypt(t.Context(), decrypt)
	wantCode(t, err, "AccessDeniedException") // directly
	_, err = s.clients[0].Decrypt(t.Context(), decrypt)
	wantCode(t, err, "AccessDeniedException") // for itself
	_, err = s.clients[0].Decrypt(t.Context(), decrypt, asked(t, c.Admin))
	wantCode(t, err, "AccessDeniedException") // for another account's user

	use := func(ctx context.Context, node int) error {
		_, err := s.clients[node].Decrypt(ctx, decrypt, proof)
		return err
	}
	endsAtOnce(t, len(c.Nodes), []func(context.Context, int) error{use, use}, "UnrecognizedClientException", func() switching {
		return timed(t, func() (*struct{}, error) {
			_, err := c.Nodes[2].Run("", "service-principal", "delete", "--access-key-id", s.made.AccessKeyID)
			return nil, err
		})
	})
}
