package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/cofre-kms/cofre/test/rig"
)

// TestSecretsStayOut passes marked secrets through every operation that takes or
// makes some, in calls that succeed and in calls that fail in every way. The check
// after the test searches ledger, Raft log, state and logs for them, and for
// PINs and secret access keys; here ciphertexts are searched for in the ledger,
// which holds none either.
func TestSecretsStayOut(t *testing.T) {
	eachCluster(t, func(t *testing.T, c *rig.Cluster) {
		s := &scenario{t: t, ctx: t.Context(), clients: c.Clients(t), secrets: c.Secrets}
		s.key, s.other = s.createKey("first"), s.createKey("second")
		s.cryptography()
		s.dataKeys()
		s.otherKeys()
		s.random()
		sealed := call(s, (*kms.Client).Encrypt, &kms.EncryptInput{KeyId: &s.key, Plaintext: s.secrets.Plaintext(4096)})
		spill(s, c)
		for _, n := range c.Nodes {
			l, err := n.Ledger()
			if err != nil {
				t.Fatal(err)
			}
			blob := []byte(base64.StdEncoding.EncodeToString(sealed.CiphertextBlob)[:64])
			for i, record := range l.Records {
				if bytes.Contains(record, blob) {
					t.Errorf("a ciphertext is in record %d of %s", i, n.Name)
				}
			}
		}
	})
}

// spill sends plaintexts where they do not belong, and in requests that fail.
func spill(s *scenario, c *rig.Cluster) {
	secret := func() string { return base64.StdEncoding.EncodeToString(s.secrets.Plaintext(48)) }
	sender := c.Raw(s.t, c.Node(3), c.Admin)
	for target, body := range map[string]string{
		"TrentService.Encrypt":         `{"KeyId":"absent","Plaintext":"` + secret() + `"}`,
		"TrentService.GenerateDataKey": `{"KeyId":"` + s.key + `","Plaintext":"` + secret() + `"}`,
		"TrentService.Explode":         `{"Plaintext":"` + secret() + `"}`,
		"TrentService.ListKeys":        `{"Plaintext":"` + secret() + `"`,
		"TrentService.Decrypt":         `{"CiphertextBlob":"` + secret() + `"}`,
		"TrentService.ReEncrypt":       `{"CiphertextBlob":"` + secret() + `","DestinationKeyId":"` + s.key + `"}`,
	} {
		if _, err := sender.Send(context.WithoutCancel(s.ctx), target, []byte(body), nil); err != nil {
			s.t.Fatal(err)
		}
	}
}
