//go:build unix

package openfile

import "syscall"

// withoutWaiting makes opening a FIFO return at once, where one took the file's place after the check.
const withoutWaiting = syscall.O_NONBLOCK | syscall.O_NOFOLLOW
