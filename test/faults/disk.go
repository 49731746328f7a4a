package faults

import (
	"errors"
	"fmt"
	"os"

	"github.com/cofre-kms/cofre/test/faults/frail"
)

// diskSize is that of a node's file system, in bytes.
const diskSize = 256 << 20

// disk is the file system under a node's data, in memory.
type disk interface {
	// fill takes all the space but some bytes, empty gives it back.
	fill(spare int64) error
	empty() error
	// unmount gives the file system up even where something uses it.
	unmount() error
}

// frailDisk is a disk that can fail in every way.
type frailDisk struct{ *frail.Disk }

func (d frailDisk) fill(spare int64) error { d.Fill(spare); return nil }
func (d frailDisk) empty() error           { d.Empty(); return nil }
func (d frailDisk) unmount() error         { return d.Unmount() }

// mount gives a node's data a disk, a frail one where it may be had.
func (v *victim) mount(isFrail bool) (err error) {
	if !isFrail {
		v.disk, err = mountTmpfs(v.Node)
		return err
	}
	if v.frail, err = frail.Mount(v.DataDir(), diskSize); err == nil {
		v.disk = frailDisk{v.frail}
	}
	return err
}

// unmount takes the disk away. Where its files are to be kept they are copied to
// where it was.
func (v *victim) unmount(keep bool) error {
	if v.frail != nil {
		v.frail.Heal()
	}
	dir := v.DataDir()
	kept := dir + ".kept"
	if keep {
		if err := os.CopyFS(kept, os.DirFS(dir)); err != nil {
			return err
		}
	}
	if err := v.disk.unmount(); err != nil || !keep {
		return err
	}
	return errors.Join(os.Remove(dir), os.Rename(kept, dir))
}

// canBeFrail says why frail disks cannot be had, where they cannot.
func canBeFrail(dir string) error {
	d, err := frail.Mount(dir, 1<<20)
	if err != nil {
		return err
	}
	if err := d.Unmount(); err != nil {
		return fmt.Errorf("unmounting: %w", err)
	}
	return nil
}
