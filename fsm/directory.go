package fsm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// directory is the directory that a store owns:
//
//	LOCK           held while the store is open
//	state-000007   a Pebble database; the highest number is in use
//	incoming       one in the making
//
// A database is made in incoming, and gets its number by a rename when it is
// whole and durable. A crash before that leaves the one in use, a crash after it
// the new one, and the next Open removes the rest.
type directory struct {
	fs     vfs.FS
	path   string
	lock   io.Closer
	number uint64 // of the database in use; 0: there is none yet
}

const (
	lockName     = "LOCK"
	incomingName = "incoming"
	statePrefix  = "state-"
)

// openDirectory opens or makes a directory, locks it and removes what an earlier
// process has left in it.
func openDirectory(fs vfs.FS, path string) (*directory, error) {
	d := &directory{fs: fs, path: path}
	if err := d.make(); err != nil {
		return nil, fmt.Errorf("making %s: %w", path, err)
	}
	lock, err := fs.Lock(fs.PathJoin(path, lockName))
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	d.lock = lock
	if err := d.clean(); err != nil {
		return nil, errors.Join(fmt.Errorf("cleaning %s: %w", path, err), lock.Close())
	}
	return d, nil
}

// make makes the directory, and makes durable its entry in the one above and
// those of all that it had to make on the way.
func (d *directory) make() error {
	made := []string{d.path}
	for {
		parent := d.fs.PathDir(made[len(made)-1])
		_, err := d.fs.Stat(parent)
		if err == nil || parent == d.fs.PathDir(parent) {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		made = append(made, parent)
	}
	if err := d.fs.MkdirAll(d.path, 0o700); err != nil {
		return err
	}
	for _, path := range made {
		if err := syncDir(d.fs, d.fs.PathDir(path)); err != nil {
			return err
		}
	}
	return nil
}

// clean finds the database in use and removes the others.
func (d *directory) clean() error {
	names, err := d.fs.List(d.path)
	if err != nil {
		return err
	}
	for _, name := range names {
		d.number = max(d.number, folderNumber(name))
	}
	for _, name := range names {
		if n := folderNumber(name); name != incomingName && (n == 0 || n == d.number) {
			continue
		}
		if err := d.fs.RemoveAll(d.fs.PathJoin(d.path, name)); err != nil {
			return err
		}
	}
	return nil
}

// folder is the path of the database of a number.
func (d *directory) folder(number uint64) string {
	return d.fs.PathJoin(d.path, fmt.Sprintf("%s%06d", statePrefix, number))
}

// folderNumber is the number of a database by its folder's name, 0 for others.
func folderNumber(name string) uint64 {
	digits, ok := strings.CutPrefix(name, statePrefix)
	if !ok {
		return 0
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return 0
	}
	return n
}

// incoming is the path at which a database is made.
func (d *directory) incoming() string { return d.fs.PathJoin(d.path, incomingName) }

// discard removes what is in the making.
func (d *directory) discard() error { return d.fs.RemoveAll(d.incoming()) }

// adopt makes the database in incoming, which is whole and durable, the one in
// use. After an error either may be the one.
func (d *directory) adopt() error {
	err := d.fs.Rename(d.incoming(), d.folder(d.number+1))
	if err == nil {
		err = syncDir(d.fs, d.path)
	}
	if err != nil {
		return fmt.Errorf("taking a database into use: %w", err)
	}
	d.number++
	return nil
}

func syncDir(fs vfs.FS, path string) (err error) {
	f, err := fs.OpenDir(path)
	if err != nil {
		return err
	}
	defer closeInto(&err, f)
	return f.Sync()
}

// closeInto closes c, for its error where there is no other.
func closeInto(err *error, c io.Closer) {
	if e := c.Close(); *err == nil {
		*err = e
	}
}
