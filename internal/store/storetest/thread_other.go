//go:build !linux

package storetest

import "syscall"

// dieWith does nothing where there is no such signal: a test that is killed leaves its PostgreSQL behind.
func dieWith(*syscall.SysProcAttr) {}
