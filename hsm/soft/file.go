package soft

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cofre-kms/cofre/hsm"
)

// readFile reads and opens the partition file.
func readFile(path string, pin hsm.PIN) (*seal, *vault, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, err
	}
	if len(raw) > maxFile {
		return nil, nil, errors.New("this is no partition file: it is too large")
	}
	return decode(raw, pin)
}

// writeFile replaces the partition file durably. The caller holds the lock of
// the file.
func writeFile(path string, s *seal, plaintext []byte) error {
	raw, err := s.encode(plaintext)
	if err != nil {
		return err
	}
	temp := path + ".new"
	if err := writeSynced(temp, raw); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", temp, err), os.Remove(temp))
	}
	// The new contents are on disk under another name: a crash here leaves the
	// old file, and a ".new" that the next change overwrites.
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(fmt.Errorf("replacing %s: %w", path, err), os.Remove(temp))
	}
	// The name refers to the new contents, in memory at least: a crash here
	// leaves either file, and nobody has been told of the change.
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("syncing the folder of %s: %w", path, err)
	}
	// The change is durable.
	return nil
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
