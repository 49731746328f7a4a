package rig

import (
	"fmt"
	"os/exec"
	"path/filepath"
)

// Build compiles cofre into dir and answers the binary's path. TestMain calls it
// once. With race the nodes run under the race detector; there may be more
// arguments for go build.
func Build(dir string, race bool, more ...string) (string, error) {
	binary := filepath.Join(dir, "cofre")
	args := append([]string{"build", "-o", binary}, more...)
	if race {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "github.com/cofre-kms/cofre/cmd/cofre")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building cofre: %w\n%s", err, out)
	}
	return binary, nil
}
