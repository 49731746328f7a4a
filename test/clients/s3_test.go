package clients

//lint:file-ignore SA1019 The client under test is the one of the old SDK.

import (
	"bytes"
	"io"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/kms"
	"github.com/aws/aws-sdk-go/service/s3"
	"github.com/aws/aws-sdk-go/service/s3/s3crypto"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// s3EncryptionClient stores an object that the Amazon S3 Encryption Client for Go
// encrypts under a key. The client is version 2, of the AWS SDK for Go; that SDK
// is told the endpoint in its configuration, because it reads no AWS_ENDPOINT_URL.
func s3EncryptionClient(t *testing.T, u *user) {
	server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(server.Close)
	store, err := session.NewSession(&aws.Config{
		Endpoint: &server.URL, Region: aws.String(os.Getenv("AWS_DEFAULT_REGION")), S3ForcePathStyle: aws.Bool(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	keys := kms.New(store, &aws.Config{Endpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL"))})
	plain := s3.New(store)
	bucket, name, secret := aws.String("bucket"), aws.String("object"), []byte("attack at dawn")
	if _, err := plain.CreateBucket(&s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	arn, other := u.key(), u.key()
	generator := s3crypto.NewKMSContextKeyGenerator(keys, arn, s3crypto.MaterialDescription{"team": aws.String("blue")})
	writer, err := s3crypto.NewEncryptionClientV2(store, s3crypto.AESGCMContentCipherBuilderV2(generator))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.PutObject(&s3.PutObjectInput{Bucket: bucket, Key: name, Body: bytes.NewReader(secret)}); err != nil {
		t.Fatal(err)
	}
	u.wantLastUse(arn, types.KeyLastUsageTrackingOperationGenerateDataKey)
	object, err := plain.GetObject(&s3.GetObjectInput{Bucket: bucket, Key: name})
	if err != nil {
		t.Fatal(err)
	}
	if stored := content(t, object); bytes.Contains(stored, secret) || len(stored) == 0 {
		t.Errorf("the store has %q", stored)
	}
	get := &s3.GetObjectInput{Bucket: bucket, Key: name}
	opened, err := reader(t, store, keys, arn).GetObject(get)
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, opened); !bytes.Equal(got, secret) {
		t.Errorf("the client reads %q", got)
	}
	u.wantLastUse(arn, types.KeyLastUsageTrackingOperationDecrypt)
	if _, err := reader(t, store, keys, other).GetObject(get); err == nil {
		t.Error("an object is read with a key that it is not encrypted under")
	}
	u.disable(arn)
	if _, err := reader(t, store, keys, arn).GetObject(get); err == nil {
		t.Error("an object is read under a disabled key")
	}
}

// reader answers a client that reads what is encrypted under one key.
func reader(t *testing.T, store *session.Session, keys *kms.KMS, arn string) *s3crypto.DecryptionClientV2 {
	t.Helper()
	registry := s3crypto.NewCryptoRegistry()
	if err := s3crypto.RegisterAESGCMContentCipher(registry); err != nil {
		t.Fatal(err)
	}
	if err := s3crypto.RegisterKMSContextWrapWithCMK(registry, keys, arn); err != nil {
		t.Fatal(err)
	}
	client, err := s3crypto.NewDecryptionClientV2(store, registry)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func content(t *testing.T, object *s3.GetObjectOutput) []byte {
	t.Helper()
	defer object.Body.Close()
	b, err := io.ReadAll(object.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
