package faults

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/cofre-kms/cofre/test/rig"
)

// diskSize is that of a node's file system. The Raft log alone may preallocate
// 64 MiB.
const diskSize = "384m"

// disk is the file system under a node's data, in memory (tmpfs(5)).
type disk struct{ dir, filler string }

// mountDisk mounts one. It takes CAP_SYS_ADMIN.
func mountDisk(n *rig.Node) (*disk, error) {
	d := &disk{dir: n.DataDir(), filler: filepath.Join(n.DataDir(), "filler")}
	if err := unix.Mount("tmpfs", d.dir, "tmpfs", 0, "mode=0700,size="+diskSize); err != nil {
		return nil, fmt.Errorf("mounting a file system: %w", err)
	}
	return d, nil
}

// fill takes all the space but some bytes.
func (d *disk) fill(spare int64) error {
	file, err := os.Create(d.filler)
	if err != nil {
		return err
	}
	defer file.Close()
	var fs unix.Statfs_t
	if err := unix.Statfs(d.dir, &fs); err != nil {
		return err
	}
	size := int64(fs.Bavail)*fs.Bsize - spare
	if size <= 0 {
		return nil
	}
	if err := unix.Fallocate(int(file.Fd()), 0, 0, size); !errors.Is(err, unix.ENOSPC) {
		return err
	}
	return nil // the node was faster
}

func (d *disk) empty() error { return os.Remove(d.filler) }

// unmount gives the file system up even where something uses it. Where its files
// are to be kept they are copied to where it was.
func (d *disk) unmount(keep bool) error {
	kept := d.dir + ".kept"
	if keep {
		if err := os.CopyFS(kept, os.DirFS(d.dir)); err != nil {
			return err
		}
	}
	if err := unix.Unmount(d.dir, unix.MNT_DETACH); err != nil || !keep {
		return err
	}
	return errors.Join(os.Remove(d.dir), os.Rename(kept, d.dir))
}
