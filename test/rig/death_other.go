//go:build !linux

package rig

import "syscall"

// dieWithTest has no equivalent here: a test that crashes leaves its nodes.
func dieWithTest() *syscall.SysProcAttr { return nil }
