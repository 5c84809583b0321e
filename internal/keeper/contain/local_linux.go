package contain

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// dialLimit is how long a connection to a port of this machine may take.
const dialLimit = 10 * time.Second

// handover is a pair of sockets by which the first process of a network namespace hands over the sockets that listen there. Landlock allows
// a port on every host; in a network namespace there is no other host, and this process forwards what arrives at its ports.
type handover struct{ ours, theirs int }

func newHandover() (handover, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return handover{}, fmt.Errorf("making a pair of sockets: %w", err)
	}
	return handover{fds[0], fds[1]}, nil
}

func (h handover) close() { closeAll([]int{h.ours, h.theirs}) }

// openPorts listens on the policy's ports in a network namespace that has nothing yet, and hands over the sockets.
func (p Policy) openPorts(fd int) error {
	defer closeAll([]int{fd})
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("setting up a network: %w", err)
	}
	var fds []int
	defer func() { closeAll(fds) }()
	for _, port := range p.Connect {
		s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		fds = append(fds, s)
		err = errors.Join(unix.Bind(s, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(s, unix.SOMAXCONN))
		if err != nil {
			return fmt.Errorf("listening on port %d: %w", port, err)
		}
	}
	return unix.Sendmsg(fd, []byte{1}, unix.UnixRights(fds...), nil, 0)
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer closeAll([]int{s})
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo)
}

// forward takes over the sockets and forwards their connections to the same ports of this machine, until this process ends.
func (h handover) forward(ports []int) error {
	oob := make([]byte, unix.CmsgSpace(4*len(ports)))
	_, n, _, _, err := unix.Recvmsg(h.ours, make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return fmt.Errorf("taking over sockets: %w", err)
	}
	var fds []int
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err == nil && len(messages) == 1 {
		fds, err = unix.ParseUnixRights(&messages[0])
	}
	if err != nil || len(fds) != len(ports) {
		return fmt.Errorf("taking over sockets: %d of %d: %w", len(fds), len(ports), err)
	}
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "listener")
		ln, err := net.FileListener(f)
		_ = f.Close()
		if err != nil {
			return fmt.Errorf("taking over a socket: %w", err)
		}
		go accept(ln, net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[i])))
	}
	return nil
}

func accept(ln net.Listener, address string) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			time.Sleep(10 * time.Millisecond) // too many are open
			continue
		}
		go connect(conn.(*net.TCPConn), address)
	}
}

// connect copies both ways until both ends are closed.
func connect(inside *net.TCPConn, address string) {
	defer func() { _ = inside.Close() }()
	c, err := net.DialTimeout("tcp", address, dialLimit)
	if err != nil {
		_ = inside.SetLinger(0) // it is reset
		return
	}
	defer c.Close()
	outside := c.(*net.TCPConn)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(outside, inside)
		_ = outside.CloseWrite()
	}()
	_, _ = io.Copy(inside, outside)
	_ = inside.CloseWrite()
	<-done
}
