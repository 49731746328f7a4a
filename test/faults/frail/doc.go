// Package frail is a file system for tests, mounted through FUSE, whose disk can
// fail: it answers errors, hangs, is full, loses what was not synced, and has bits
// that flip. It lies in memory.
//
// What a program wrote and what its disk holds are told apart as POSIX tells them:
// the bytes and the size of a file reach the disk with fsync(2) of the file, the
// names in a directory with fsync(2) of the directory, and nothing else does.
// [Disk.LosePower] leaves any part of what was not synced.
//
// The disk is served by the process that mounts it. That process must not map a
// file of it into memory: it would wait for itself.
//
// disk.go has the faults, inode.go the files, mount_linux.go the way from the
// kernel.
package frail
