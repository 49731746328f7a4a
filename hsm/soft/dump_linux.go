package soft

import "golang.org/x/sys/unix"

// excludeFromDumps keeps b out of core dumps.
func excludeFromDumps(b []byte) { _ = unix.Madvise(b, unix.MADV_DONTDUMP) }
