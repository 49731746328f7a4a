package rig

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build compiles cofre into dir and answers the binary's path. TestMain calls it
// once. With race the nodes run under the race detector; there may be more
// arguments for go build.
func Build(dir string, race bool, more ...string) (string, error) {
	binary, err := filepath.Abs(filepath.Join(dir, "cofre"))
	if err != nil {
		return "", err
	}
	args := append([]string{"build", "-o", binary}, more...)
	if race {
		args = append(args, "-race")
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", append(args, "github.com/cofre-kms/cofre/cmd/cofre")...)
	// A test of another module builds with Cofre's own dependencies, too.
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building cofre: %w\n%s", err, out)
	}
	return binary, nil
}

// moduleRoot is the folder of Cofre's module.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cofre-kms/cofre").Output()
	if err != nil {
		return "", fmt.Errorf("finding Cofre's module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
