package portmux

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"blossomtune/internal/tlsca"
)

// FuzzFirstBytes looks at any beginning of a connection: what is handed out reads as it was sent, everything else is closed, and nothing
// stays counted.
func FuzzFirstBytes(f *testing.F) {
	for _, seed := range []string{"", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x00\x05hello", "\x16", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x00\x00", "SSH-2.0-x\r\n"} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Add(clientHello(f), false)
	ca, err := tlsca.Open(tlsca.Options{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	o := Options{TLS: ca.TLSConfig(), FirstByte: time.Second, Write: time.Second, Limits: Limits{Conns: 10}}
	w := newCrowd(o)
	f.Fuzz(func(t *testing.T, first []byte, allowed bool) {
		o.Plain = func(net.Addr) bool { return allowed }
		l := &Listener{opts: o, crowd: w, ctx: context.Background()}
		sent := &sentConn{in: bytes.NewReader(first)}
		switch out := l.protocol(w.admit(sent)).(type) {
		case nil:
		case *tls.Conn:
			if first[0] != tlsHandshake {
				t.Errorf("%q is taken for TLS", first)
			}
			_ = out.HandshakeContext(context.Background())
			_ = out.Close()
		default:
			if got, err := io.ReadAll(out); err != nil || !bytes.Equal(got, first) || !allowed || first[0] == tlsHandshake {
				t.Errorf("%q, allowed %v, is handed out as %q, %v", first, allowed, got, err)
			}
			_ = out.Close()
		}
		if !sent.closed || w.all != 0 || len(w.strangers) != 0 || len(w.peers) != 0 {
			t.Errorf("closed %v, %d connections are left", sent.closed, w.all)
		}
	})
}

// clientHello is how a TLS connection begins.
func clientHello(f *testing.F) []byte {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go func() {
		defer ours.Close()
		_ = tls.Client(ours, &tls.Config{ServerName: "localhost"}).HandshakeContext(context.Background())
	}()
	hello := make([]byte, 4<<10)
	n, err := theirs.Read(hello)
	if err != nil {
		f.Fatal(err)
	}
	return hello[:n]
}

// sentConn is the connection of a client that has sent all it will.
type sentConn struct {
	net.Conn
	in     *bytes.Reader
	closed bool
}

func (c *sentConn) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *sentConn) Write(p []byte) (int, error)      { return len(p), nil }
func (c *sentConn) Close() error                     { c.closed = true; return nil }
func (c *sentConn) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }
func (c *sentConn) SetDeadline(time.Time) error      { return nil }
func (c *sentConn) SetReadDeadline(time.Time) error  { return nil }
func (c *sentConn) SetWriteDeadline(time.Time) error { return nil }
