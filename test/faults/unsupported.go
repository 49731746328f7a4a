//go:build !linux

package faults

import (
	"errors"

	"github.com/cofre-kms/cofre/test/rig"
)

// errLinux is returned by all that takes Linux: clusters run without it, and
// their networks and disks do not fail.
var errLinux = errors.New("faults: networks and disks fail on Linux only")

type namespace struct{}

func newNamespace() (*namespace, error)     { return nil, errLinux }
func (*namespace) Do(fn func() error) error { return fn() }
func (*namespace) close() error             { return nil }

type tmpfs struct{}

func mountTmpfs(*rig.Node) (*tmpfs, error) { return nil, errLinux }
func (*tmpfs) fill(int64) error            { return errLinux }
func (*tmpfs) empty() error                { return errLinux }
func (*tmpfs) unmount() error              { return errLinux }
