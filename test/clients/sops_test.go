package clients

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// sops encrypts a file under two keys with SOPS's command, edits it, and reads it
// when one of the keys is disabled.
func sops(t *testing.T, u *user) {
	dir := t.TempDir()
	command := filepath.Join(dir, "sops")
	if out, err := exec.Command("go", "build", "-o", command, "github.com/getsops/sops/v3/cmd/sops").CombinedOutput(); err != nil {
		t.Fatalf("building SOPS: %v\n%s", err, out)
	}
	run := func(want bool, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), command, append([]string{"--disable-version-check"}, args...)...)
		var problems bytes.Buffer
		cmd.Stderr = &problems
		out, err := cmd.Output()
		if (err == nil) != want {
			t.Fatalf("sops %v: %v\n%s", args, err, &problems)
		}
		return string(out)
	}
	file := filepath.Join(dir, "secrets.yaml")
	const secret = "correct horse battery staple"
	if err := os.WriteFile(file, []byte("password: "+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	one, two := u.key(), u.key()
	run(true, "encrypt", "--in-place", "--kms", one+","+two, "--encryption-context", "app:web", file)
	sealed, err := os.ReadFile(file)
	if err != nil || bytes.Contains(sealed, []byte(secret)) || !bytes.Contains(sealed, []byte(two)) {
		t.Fatalf("%v: the file is\n%s", err, sealed)
	}
	u.wantLastUse(one, types.KeyLastUsageTrackingOperationEncrypt)
	run(true, "set", file, `["token"]`, `"abc"`)
	u.disable(one)
	if got, want := run(true, "decrypt", file), "password: "+secret+"\ntoken: abc\n"; got != want {
		t.Errorf("SOPS reads %q, want %q", got, want)
	}
	u.wantLastUse(two, types.KeyLastUsageTrackingOperationDecrypt)
	u.disable(two)
	run(false, "decrypt", file)
}
