//go:build !linux

package frail

import "errors"

type (
	server struct{}
	listed struct{}
)

// Mount mounts nothing: only Linux can.
func Mount(string, int64) (*Disk, error) { return nil, errors.New("frail: only Linux mounts") }

// Unmount has nothing to do.
func (d *Disk) Unmount() error { return nil }
