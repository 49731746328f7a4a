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
//	CURRENT        the name of the folder in use
//	LOCK           held while the store is open
//	state-000007   a Pebble database
//
// A restored database is made beside the one in use and becomes it when CURRENT
// is renamed over: a crash before that leaves the old one, after it the new one,
// and the next Open removes whichever is not in use.
type directory struct {
	fs      vfs.FS
	path    string
	lock    io.Closer
	current uint64 // number of the folder in use
}

const (
	currentName = "CURRENT"
	lockName    = "LOCK"
	statePrefix = "state-"
)

// openDirectory opens or makes a directory and locks it.
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
	if err := d.locate(); err != nil {
		return nil, errors.Join(err, lock.Close())
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

// locate reads CURRENT. A new directory gets one before anything else, so that
// databases without it are never taken for leftovers of a first start.
func (d *directory) locate() error {
	b, err := readFile(d.fs, d.fs.PathJoin(d.path, currentName))
	if err == nil {
		d.current, err = folderNumber(strings.TrimSuffix(string(b), "\n"))
		return err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading %s: %w", currentName, err)
	}
	folders, err := d.folders()
	if err != nil {
		return err
	}
	if len(folders) > 0 {
		return fmt.Errorf("%w: %s has databases and no %s", errCorrupt, d.path, currentName)
	}
	return d.use(1)
}

// folder is the path of the database of a number.
func (d *directory) folder(n uint64) string {
	return d.fs.PathJoin(d.path, fmt.Sprintf("%s%06d", statePrefix, n))
}

func folderNumber(name string) (uint64, error) {
	digits, ok := strings.CutPrefix(name, statePrefix)
	n, err := strconv.ParseUint(digits, 10, 63)
	if !ok || err != nil {
		return 0, fmt.Errorf("%w: %q is not a database's name", errCorrupt, name)
	}
	return n, nil
}

// use makes the database of a number the one in use. After an error either may
// be the one.
func (d *directory) use(n uint64) error {
	path := d.fs.PathJoin(d.path, currentName)
	err := writeFile(d.fs, path+".new", []byte(d.fs.PathBase(d.folder(n))+"\n"))
	if err == nil {
		err = d.fs.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(d.fs, d.path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", currentName, err)
	}
	d.current = n
	return nil
}

// clean removes the databases that are not in use.
func (d *directory) clean() error {
	folders, err := d.folders()
	if err != nil {
		return err
	}
	for _, n := range folders {
		if n == d.current {
			continue
		}
		if err := d.fs.RemoveAll(d.folder(n)); err != nil {
			return fmt.Errorf("removing an old state: %w", err)
		}
	}
	return nil
}

func (d *directory) folders() (numbers []uint64, err error) {
	names, err := d.fs.List(d.path)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if n, err := folderNumber(name); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}

func readFile(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	return b, errors.Join(err, f.Close())
}

// writeFile makes a file and its bytes durable, but not its name: sync the
// directory after it.
func writeFile(fs vfs.FS, path string, b []byte) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(fs vfs.FS, path string) error {
	f, err := fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
