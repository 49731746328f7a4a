package hsmtest

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
)

const (
	// RequireSoftHSM is the environment variable that turns the absence of
	// SoftHSM from a reason to skip into a failure, when it is 1.
	RequireSoftHSM = "COFRE_REQUIRE_SOFTHSM"

	softHSMConfig = "SOFTHSM2_CONF"
	ownConfig     = "COFRE_TEST_SOFTHSM2_CONF" // softHSMConfig, where this package has set it
	tokenPIN      = hsm.PIN("648219")
)

// NewToken makes a SoftHSM token and answers its URI and PIN. The first call in
// a test points SOFTHSM2_CONF of the process to a new folder, until the test
// ends; processes that the test starts inherit it.
//
// SoftHSM reads the folder when its first user in a process initializes it: make
// all tokens of a test before opening the first, and close all by its end. For
// the same reason the test must not be parallel.
func NewToken(t testing.TB, label string) (uri string, pin hsm.PIN) {
	t.Helper()
	module := softHSM(t)
	if config := os.Getenv(softHSMConfig); config == "" || config != os.Getenv(ownConfig) {
		configure(t)
	}
	out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", label,
		"--pin", string(tokenPIN), "--so-pin", string(tokenPIN)).CombinedOutput()
	if err != nil {
		t.Fatalf("softhsm2-util: %v\n%s", err, out)
	}
	return fmt.Sprintf("pkcs11:token=%s?module-path=%s", url.PathEscape(label), module), tokenPIN
}

// softHSM answers the module's file, or ends the test.
func softHSM(t testing.TB) string {
	t.Helper()
	var module string
	for _, path := range []string{
		os.Getenv("SOFTHSM2_MODULE"), "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so",
		"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so",
		"/opt/homebrew/lib/softhsm/libsofthsm2.so",
	} {
		if _, err := os.Stat(path); path != "" && err == nil {
			module = path
			break
		}
	}
	_, err := exec.LookPath("softhsm2-util")
	if module != "" && err == nil {
		return module
	}
	if os.Getenv(RequireSoftHSM) == "1" {
		t.Fatalf("SoftHSM is not installed, and %s is 1", RequireSoftHSM)
	}
	t.Skip("SoftHSM is not installed")
	return ""
}

func configure(t testing.TB) {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "softhsm2.conf")
	text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(softHSMConfig, config)
	t.Setenv(ownConfig, config)
}
