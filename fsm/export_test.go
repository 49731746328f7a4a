package fsm

import "github.com/cockroachdb/pebble/v2/vfs"

// FS is the file system of a store.
func FS(s *Store) vfs.FS { return s.cfg.FS }
