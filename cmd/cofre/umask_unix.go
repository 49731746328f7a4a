//go:build unix

package main

import "syscall"

// umask makes every file of this process its owner's alone: keys, state, logs of
// Raft and the admin socket, from the moment that they exist.
func umask() { syscall.Umask(0o077) }
