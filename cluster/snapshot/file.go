package snapshot

import (
	"errors"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func (s *Store) readFile(path string) ([]byte, error) {
	file, err := s.fs.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(file)
	return b, errors.Join(err, file.Close())
}

// writeFile makes a file and its bytes durable, but not its name: syncDir after
// it.
func (s *Store) writeFile(path string, b []byte) error {
	file, err := s.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if _, err := file.Write(b); err != nil {
		return errors.Join(err, file.Close())
	}
	return errors.Join(file.Sync(), file.Close())
}

// syncDir makes the names in a directory durable.
func (s *Store) syncDir(path string) error {
	if plantedNames {
		return nil
	}
	dir, err := s.fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
