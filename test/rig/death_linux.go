package rig

import "syscall"

// dieWithTest makes the kernel kill the process when the test ends in a way that
// runs no cleanup (prctl(2), PR_SET_PDEATHSIG).
func dieWithTest() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
