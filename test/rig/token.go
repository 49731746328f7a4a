package rig

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The kinds of partition that a cluster can have.
const (
	Soft    = "soft"
	SoftHSM = "softhsm"
)

// modulePaths are where distributions put SoftHSM2's PKCS #11 module.
var modulePaths = []string{
	"/usr/lib/softhsm/libsofthsm2.so",
	"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so",
	"/usr/local/lib/softhsm/libsofthsm2.so",
	"/opt/homebrew/lib/softhsm/libsofthsm2.so",
}

// Kinds answers the partition kinds that this machine can run: both, or only
// [Soft] where SoftHSM2 is not installed. With COFRE_REQUIRE_SOFTHSM=1 its
// absence fails the test.
func Kinds(t testing.TB) []string {
	t.Helper()
	_, errModule := SoftHSMModule()
	_, errUtil := exec.LookPath("softhsm2-util")
	if errModule == nil && errUtil == nil {
		return []string{Soft, SoftHSM}
	}
	if os.Getenv("COFRE_REQUIRE_SOFTHSM") == "1" {
		t.Fatalf("SoftHSM2 is required and not installed: %v %v", errModule, errUtil)
	}
	t.Log("SoftHSM2 is not installed: only embedded partitions are tested")
	return []string{Soft}
}

// SoftHSMModule answers the path of SoftHSM2's PKCS #11 module.
func SoftHSMModule() (string, error) {
	if path := os.Getenv("SOFTHSM2_MODULE"); path != "" {
		return path, nil
	}
	for _, path := range modulePaths {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no libsofthsm2.so in %v", modulePaths)
}

// makeToken makes a SoftHSM2 token for one node in dir and answers its URI, with
// another module than SoftHSM's own where one is given. The node's SOFTHSM2_CONF
// is dir/softhsm2.conf.
func makeToken(dir, label, pin, module string) (uri string, err error) {
	if module == "" {
		if module, err = SoftHSMModule(); err != nil {
			return "", err
		}
	}
	tokens := filepath.Join(dir, "tokens")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		return "", err
	}
	conf := filepath.Join(dir, "softhsm2.conf")
	text := "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nlog.level = ERROR\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return "", err
	}
	cmd := exec.Command("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", pin, "--pin", pin)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+conf)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("softhsm2-util: %w\n%s", err, out)
	}
	return "pkcs11:token=" + label + "?module-path=" + module, nil
}
