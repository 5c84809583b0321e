package portmux

import (
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

func newText(s string) io.Reader { return strings.NewReader(s) }

// conn gives back the byte that was read ahead.
type conn struct {
	net.Conn
	first []byte
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

// Limit sets the time and size limits of a server on the open internet on s, where they are not set.
// Bodies have no limit here: a model takes its time, and handlers limit what they read.
func Limit(s *http.Server) {
	if s.ReadHeaderTimeout == 0 {
		s.ReadHeaderTimeout = 10 * time.Second
	}
	if s.IdleTimeout == 0 {
		s.IdleTimeout = 2 * time.Minute
	}
	if s.MaxHeaderBytes == 0 {
		s.MaxHeaderBytes = 32 << 10
	}
}
