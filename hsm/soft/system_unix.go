//go:build unix

package soft

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFile takes the lock of a partition for this process; it is gone with the
// process, however that ends. The lock has a file of its own, because the
// partition file is replaced on every change. The file stays: removing it would
// let two processes hold locks of two files of one name.
func lockFile(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

// protectedMemory answers n bytes outside the Go heap, kept from swap where the
// limit of the process (RLIMIT_MEMLOCK) allows it. release wipes nothing.
func protectedMemory(n int) (b []byte, release func()) {
	b, err := unix.Mmap(-1, 0, max(n, 1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]byte, n), func() {}
	}
	_ = unix.Mlock(b) // where it is not allowed the memory may be swapped
	excludeFromDumps(b)
	return b[:n:n], func() {
		_ = unix.Munmap(b) // unlocks too; it fails only for what Mmap did not answer
	}
}
