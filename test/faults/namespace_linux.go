package faults

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// namespace is a network of its own that has nothing but loopback
// (network_namespaces(7)). It goes when its last process and socket have gone.
// It is a rig.Place.
type namespace struct{ file *os.File }

// newNamespace makes one. It takes CAP_SYS_ADMIN.
func newNamespace() (*namespace, error) {
	n := new(namespace)
	err := elsewhere(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("making a network namespace: %w", err)
		}
		file, err := os.Open(threadNet)
		if err != nil {
			return err
		}
		n.file = file
		return raiseLoopback()
	})
	return n, err
}

// Do implements rig.Place.
func (n *namespace) Do(fn func() error) error {
	return elsewhere(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("entering a network namespace: %w", err)
		}
		return fn()
	})
}

const threadNet = "/proc/thread-self/ns/net"

// elsewhere calls fn on a thread whose network namespace fn may change, and
// brings the thread back. The thread must live on, since the nodes that it
// started die with it (PR_SET_PDEATHSIG, prctl(2)).
func elsewhere(fn func() error) error {
	runtime.LockOSThread()
	home, err := os.Open(threadNet)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	failure := fn()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("leaving a network namespace: %w", err) // the thread stays locked: nobody else gets it
	}
	runtime.UnlockOSThread()
	return failure
}

// raiseLoopback sets the lo device up (netdevice(7)).
func raiseLoopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("setting loopback up: %w", err)
	}
	return nil
}

func (n *namespace) close() error { return n.file.Close() }
