package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/cofre-kms/cofre/test/rig"
)

// TestQuotas sets quotas in the configuration of a node: they hold, for each
// account on its own.
func TestQuotas(t *testing.T) {
	c := rig.Start(t, rig.Config{Binary: binary, Nodes: 1, Prepare: func(n *rig.Node) error {
		f, err := os.OpenFile(filepath.Join(n.Dir(), "cofre.toml"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(f, "\n[quotas]\nkeys = 2\nrates = [\"UpdateKeyDescription=0.0001\", \"rsa=1\"]\n")
		if closed := f.Close(); err == nil {
			err = closed
		}
		return err
	}})
	for _, who := range []rig.Credentials{c.Admin, c.Second} {
		s := &scenario{t: t, ctx: t.Context(), clients: []*kms.Client{c.Client(t, c.Node(1), who)}, secrets: c.Secrets}
		key, text := s.createKey("one"), "changed"
		s.createKey("two")
		fails(s, "LimitExceededException", (*kms.Client).CreateKey, &kms.CreateKeyInput{})
		describe := &kms.UpdateKeyDescriptionInput{KeyId: &key, Description: &text}
		call(s, (*kms.Client).UpdateKeyDescription, describe)
		fails(s, "ThrottlingException", (*kms.Client).UpdateKeyDescription, describe)
		call(s, (*kms.Client).Encrypt, &kms.EncryptInput{KeyId: &key, Plaintext: c.Secrets.Plaintext(32)})
	}
}
