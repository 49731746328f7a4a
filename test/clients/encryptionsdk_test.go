package clients

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/cofre-kms/cofre/test/rig"
)

// encryptionSDK has js/encryption-sdk.mjs encrypt messages: under two keys, of
// which one is then disabled, and under a multi-Region key.
func encryptionSDK(t *testing.T, u *user) {
	needNode(t)
	run := func(args ...string) {
		t.Helper()
		args = append([]string{filepath.Join("js", "encryption-sdk.mjs")}, args...)
		if out, err := exec.CommandContext(t.Context(), "node", args...).CombinedOutput(); err != nil {
			t.Fatalf("node %v: %v\n%s", args, err, out)
		}
	}
	dir := t.TempDir()
	message := filepath.Join(dir, "message")
	one, two := u.key(), u.key()
	run("encrypt", message, one, two)
	u.wantLastUse(one, types.KeyLastUsageTrackingOperationGenerateDataKey)
	u.wantLastUse(two, types.KeyLastUsageTrackingOperationEncrypt)
	run("decrypt", message, one)
	u.disable(one)
	run("decrypt", message, one, two)
	u.wantLastUse(two, types.KeyLastUsageTrackingOperationDecrypt)
	run("refused", message, one)

	primary := u.keyLike(&kms.CreateKeyInput{MultiRegion: aws.Bool(true)})
	if _, err := u.kms.ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &primary, ReplicaRegion: aws.String(rig.West)}); err != nil {
		t.Fatal(err)
	}
	run("encrypt", message, primary)
	run("decrypt-replica", message, strings.Replace(primary, rig.Region, rig.West, 1))
}
