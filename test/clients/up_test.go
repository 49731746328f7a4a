package clients

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/cofre-kms/cofre/test/rig"
)

// TestUnmodified runs what is built on AWS's clients against a cluster that
// scripts/up has started, with nothing but the environment of DIR/env.
func TestUnmodified(t *testing.T) {
	up(t)
	for name, test := range map[string]func(*testing.T, *user){
		"AWS Encryption SDK for JavaScript": encryptionSDK,
		"Amazon S3 Encryption Client":       s3EncryptionClient,
		"SOPS":                              sops,
		"Tink":                              tinkClient,
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := config.LoadDefaultConfig(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			test(t, &user{t, kms.NewFromConfig(cfg)})
		})
	}
}

// up starts a cluster, has the environment of this test be that of its clients,
// and stops it when the test ends.
func up(t *testing.T) {
	t.Helper()
	base, err := rig.PortBase()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Cleanup(func() { script(t, "down", "--dir", dir) })
	script(t, "up", "--dir", dir, "--port-base", strconv.Itoa(base))
	// The variables that the file exports, and no others.
	out, err := exec.Command("env", "-i", "bash", "-c", `source "$0/env" && compgen -e | while read -r name; do printf '%s=%s\0' "$name" "${!name}"; done`, dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, "")
	}
	for pair := range bytes.SplitSeq(out, []byte{0}) {
		if name, value, ok := strings.Cut(string(pair), "="); ok && strings.Contains(name, "_") && name != "_" {
			t.Setenv(name, value)
		}
	}
}

func script(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(filepath.Join("..", "..", "scripts", name), args...).CombinedOutput(); err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, out)
	}
}

// user does with the AWS SDK what users of the other clients do beside them.
type user struct {
	t   *testing.T
	kms *kms.Client
}

// key makes a key and answers its ARN.
func (u *user) key() string { return u.keyLike(&kms.CreateKeyInput{}) }

func (u *user) keyLike(in *kms.CreateKeyInput) string {
	u.t.Helper()
	out, err := u.kms.CreateKey(u.t.Context(), in)
	if err != nil {
		u.t.Fatal(err)
	}
	return *out.KeyMetadata.Arn
}

func (u *user) disable(arn string) {
	u.t.Helper()
	if _, err := u.kms.DisableKey(u.t.Context(), &kms.DisableKeyInput{KeyId: &arn}); err != nil {
		u.t.Fatal(err)
	}
}

// lastUse answers the last operation that used a key. It shows that the client
// was here.
func (u *user) lastUse(arn string) types.KeyLastUsageTrackingOperation {
	u.t.Helper()
	out, err := u.kms.GetKeyLastUsage(u.t.Context(), &kms.GetKeyLastUsageInput{KeyId: &arn})
	if err != nil {
		u.t.Fatal(err)
	}
	return out.KeyLastUsage.Operation
}

func (u *user) wantLastUse(arn string, want types.KeyLastUsageTrackingOperation) {
	u.t.Helper()
	if got := u.lastUse(arn); got != want {
		u.t.Errorf("the key was last used by %s, want %s", got, want)
	}
}
