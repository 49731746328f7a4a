package faults

import (
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/cofre-kms/cofre/test/rig"
)

// The states of a module that fails on demand, its control's values; see
// testdata/module.c. Calls that hang go on when the state is another one. The last
// two happen once, at the next call.
const (
	moduleWell int32 = iota
	moduleRemoved
	moduleFailing
	moduleHanging
	moduleFlaky
	moduleSlow
	moduleForgetsSessions
	moduleLogsOut
)

// buildModule compiles the module around SoftHSM's into dir.
func buildModule(dir string) (string, error) {
	real, err := rig.SoftHSMModule()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "module.so")
	cmd := exec.Command("cc", "-shared", "-fPIC", "-O2", fmt.Sprintf("-DMODULE=%q", real),
		"-o", path, filepath.Join("testdata", "module.c"), "-ldl")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compiling the module: %w\n%s", err, out)
	}
	return path, nil
}
