package storetest

import (
	"runtime"
	"syscall"
)

// dieWith makes the child end with this process, however that ends. The signal is bound to the thread that starts the child, so the
// calling goroutine keeps its thread for ever.
func dieWith(attr *syscall.SysProcAttr) {
	runtime.LockOSThread()
	attr.Pdeathsig = syscall.SIGQUIT
}
