package portmux

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

func newText(s string) io.Reader { return strings.NewReader(s) }

// conn is an open connection. It gives back the byte that was read ahead, and no write on it blocks for long.
type conn struct {
	net.Conn
	first []byte

	crowd    *crowd
	peer     netip.Prefix
	age      uint64
	in       bool // counted; guarded by crowd.mu, as stranger is
	stranger bool

	tls    bool // it carries TLS, which ends here
	memory Memory

	mu    sync.Mutex
	until time.Time // the deadline for writes that was asked for
}

// Read returns the byte read ahead, then what follows.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.first) > 0 && len(p) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// A client must take writeChunk bytes within [Options].Write, or its connection is cut: 1 KiB a second.
const (
	writeChunk = 32 << 10
	writeWait  = 30 * time.Second
)

// Write writes in pieces, each with a time limit: a client that stops reading holds neither memory nor a handler for long.
func (c *conn) Write(p []byte) (n int, err error) {
	for {
		piece := p[n:min(n+writeChunk, len(p))]
		c.mu.Lock()
		until := time.Now().Add(c.crowd.writeWait)
		if !c.until.IsZero() && c.until.Before(until) {
			until = c.until
		}
		err := c.Conn.SetWriteDeadline(until)
		c.mu.Unlock()
		if err != nil {
			return n, err
		}
		m, err := c.Conn.Write(piece)
		if n += m; err != nil || n >= len(p) {
			return n, err
		}
	}
}

// SetWriteDeadline limits the writes further.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = t
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline limits reads, and the writes further.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// CloseWrite lets net/http close in two steps: a client that still sends a body that was refused can read the answer first.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close closes the connection and makes room for another.
func (c *conn) Close() error {
	c.crowd.leave(c)
	return c.Conn.Close()
}
