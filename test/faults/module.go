package faults

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/cofre-kms/cofre/test/rig"
)

// The states of a module that fails on demand; see testdata/module.c. The last two
// happen once, at the next call.
const (
	moduleWell uint32 = iota
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

// module is the switch of one node's module.
type module struct{ file *os.File }

func newModule(n *rig.Node) (*module, error) {
	file, err := os.Create(filepath.Join(n.Dir(), "fault"))
	if err != nil {
		return nil, err
	}
	m := &module{file: file}
	return m, m.set(moduleWell)
}

// set changes the state of the module in all processes of the node. Calls that
// hang go on when the state is another one.
func (m *module) set(state uint32) error {
	_, err := m.file.WriteAt(binary.NativeEndian.AppendUint32(nil, state), 0)
	return err
}
