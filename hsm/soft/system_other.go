//go:build !unix

package soft

import "os"

// lockFile only opens the file: a second process is not kept out.
func lockFile(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return f.Close, nil
}

// protectedMemory answers n bytes without any protection.
func protectedMemory(n int) (b []byte, release func()) { return make([]byte, n), func() {} }
