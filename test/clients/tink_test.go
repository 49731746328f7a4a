package clients

import (
	"bytes"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/tink-crypto/tink-go-awskms/v3/integration/awskms"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// tinkClient keeps a keyset of Tink's under a key, and encrypts envelopes with it.
func tinkClient(t *testing.T, u *user) {
	arn := u.key()
	uri := "aws-kms://" + arn
	client, err := awskms.NewClientWithOptions(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	remote, err := client.GetAEAD(uri)
	if err != nil {
		t.Fatal(err)
	}
	envelope := aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), remote)
	secret, data := []byte("attack at dawn"), []byte("associated")
	sealed, err := envelope.Encrypt(secret, data)
	if err != nil {
		t.Fatal(err)
	}
	u.wantLastUse(arn, types.KeyLastUsageTrackingOperationEncrypt)
	if opened, err := envelope.Decrypt(sealed, data); err != nil || !bytes.Equal(opened, secret) {
		t.Errorf("Tink reads %q, %v", opened, err)
	}
	u.wantLastUse(arn, types.KeyLastUsageTrackingOperationDecrypt)
	if _, err := envelope.Decrypt(sealed, []byte("other")); err == nil {
		t.Error("Tink reads with other associated data")
	}

	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	var stored bytes.Buffer
	if err := handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&stored), remote, data); err != nil {
		t.Fatal(err)
	}
	kept := stored.Bytes()
	read, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(kept)), remote, data)
	if err != nil {
		t.Fatal(err)
	}
	if read.KeysetInfo().GetPrimaryKeyId() != handle.KeysetInfo().GetPrimaryKeyId() {
		t.Error("Tink reads another keyset")
	}
	u.disable(arn)
	if _, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(kept)), remote, data); err == nil {
		t.Error("a keyset is read under a disabled key")
	}
}
