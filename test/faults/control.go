package faults

import (
	"encoding/binary"
	"os"
	"path/filepath"

	"github.com/cofre-kms/cofre/test/rig"
)

// control is an int32 that the processes of one node have mapped: its file lies
// beside the node's others.
type control struct{ file *os.File }

func newControl(n *rig.Node, name string) (*control, error) {
	file, err := os.Create(filepath.Join(n.Dir(), name))
	if err != nil {
		return nil, err
	}
	c := &control{file: file}
	return c, c.set(0)
}

// set changes the value in all processes of the node, from now on.
func (c *control) set(value int32) error {
	_, err := c.file.WriteAt(binary.NativeEndian.AppendUint32(nil, uint32(value)), 0)
	return err
}
