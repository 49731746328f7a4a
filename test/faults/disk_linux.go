package faults

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/cofre-kms/cofre/test/rig"
)

// tmpfs is a disk that can be full and is sound otherwise (tmpfs(5)).
type tmpfs struct{ dir, filler string }

// mountTmpfs mounts one. It takes CAP_SYS_ADMIN.
func mountTmpfs(n *rig.Node) (*tmpfs, error) {
	d := &tmpfs{dir: n.DataDir(), filler: filepath.Join(n.DataDir(), "filler")}
	if err := unix.Mount("tmpfs", d.dir, "tmpfs", 0, fmt.Sprintf("mode=0700,size=%d", diskSize)); err != nil {
		return nil, fmt.Errorf("mounting a file system: %w", err)
	}
	return d, nil
}

// fill takes all the space but some bytes.
func (d *tmpfs) fill(spare int64) error {
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

func (d *tmpfs) empty() error { return os.Remove(d.filler) }

func (d *tmpfs) unmount() error { return unix.Unmount(d.dir, unix.MNT_DETACH) }
