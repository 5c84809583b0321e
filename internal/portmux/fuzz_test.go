package portmux

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"blossomtune/internal/tlsca"
)

// FuzzFirstBytes sends any beginning of a connection: it is answered or closed, and leaves nothing behind.
func FuzzFirstBytes(f *testing.F) {
	for _, seed := range []string{"", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x00\x05hello", "\x16", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x00\x00", "SSH-2.0-x\r\n"} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	ca, err := tlsca.Open(tlsca.Options{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first []byte, allowed bool) {
		in := &fakeListener{conns: make(chan net.Conn, 1), done: make(chan struct{})}
		l := New(in, Options{TLS: ca.TLSConfig(), Plain: func(net.Addr) bool { return allowed }, FirstByte: time.Second, Log: slog.New(slog.DiscardHandler)})
		s := &http.Server{Handler: Pace(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }), quick), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
		Limit(s)
		served := make(chan struct{})
		go func() { defer close(served); _ = s.Serve(l) }()
		ours, theirs := net.Pipe()
		in.conns <- addressed{theirs, "192.0.2.1"}
		go func() { _, _ = io.Copy(io.Discard, ours) }()
		_ = ours.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = ours.Write(first)
		_ = ours.Close()
		_ = s.Close()
		<-served
		_ = l.Close()
		l.crowd.mu.Lock()
		defer l.crowd.mu.Unlock()
		if l.crowd.all != 0 || len(l.crowd.peers) != 0 {
			t.Errorf("%d connections are left", l.crowd.all)
		}
	})
}

// fakeListener gives out what it is given.
type fakeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *fakeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *fakeListener) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}

func (l *fakeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
