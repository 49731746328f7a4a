//go:build !unix

package main

// umask has nothing to set where files have no permission bits.
func umask() {}
