//go:build unix

package fleetload

import (
	"net"

	"golang.org/x/sys/unix"
)

// readable reports whether an idle connection has something to read: the server has closed it, or says that it will.
func readable(c net.Conn) bool {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return true
	}
	found := true
	var b [1]byte
	err = raw.Control(func(fd uintptr) {
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		found = err != unix.EAGAIN && err != unix.EWOULDBLOCK
	})
	return found || err != nil
}
