// Package portmux lets one port speak TLS and plain HTTP: the first byte of a connection tells which.
// Plain HTTP is for browsers on the same machine and for a declared reverse proxy; everybody else is told to use https.
package portmux

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"blossomtune/internal/safely"
)

// Options of a [Listener]; the zero values of the limits take sensible ones.
type Options struct {
	TLS       *tls.Config         // of TLS connections; without it TLS is refused, and only Plain decides
	Plain     func(net.Addr) bool // who may speak plain HTTP; [Loopback] if nil
	FirstByte time.Duration       // how long a client may take to send its first byte; 10 s
	Write     time.Duration       // how long a client may take to read 32 KiB; 30 s
	Limits    Limits              // of connections
	Proxied   bool                // all clients come through a reverse proxy, which limits them by address itself
	Log       *slog.Logger        // slog.Default if nil
}

// Loopback allows clients on this machine.
func Loopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

// Anywhere allows all clients: right only where nothing but the reverse proxy reaches the port.
func Anywhere(net.Addr) bool { return true }

// Listener hands out connections whose protocol is known: a *tls.Conn, so that http.Server finds r.TLS and HTTP/2, or a plain one.
type Listener struct {
	inner net.Listener
	opts  Options
	crowd *crowd
	ready chan net.Conn
	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	wg    sync.WaitGroup

	mu  sync.Mutex
	err error // why Accept ended
}

// New starts to accept on inner. Close the returned listener, not inner.
func New(inner net.Listener, o Options) *Listener {
	if o.Plain == nil {
		o.Plain = Loopback
	}
	if o.FirstByte == 0 {
		o.FirstByte = 10 * time.Second
	}
	if o.Write == 0 {
		o.Write = writeWait
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &Listener{inner: inner, opts: o, crowd: newCrowd(o), ready: make(chan net.Conn), ctx: ctx, stop: stop}
	l.wg.Add(1)
	go l.loop()
	return l
}

// Addr returns the address listened on.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Accept returns the next connection whose protocol is known.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.err != nil {
			return nil, l.err
		}
		return nil, net.ErrClosed
	}
}

// Close stops accepting and closes the connections that have not been handed out.
func (l *Listener) Close() error {
	l.stop()
	err := l.inner.Close()
	l.wg.Wait()
	return err
}

func (l *Listener) loop() {
	defer l.wg.Done()
	wait := 5 * time.Millisecond
	for {
		c, err := l.inner.Accept()
		if err == nil {
			wait = 5 * time.Millisecond
			l.admit(c)
			continue
		}
		if l.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			l.fail(err)
			return
		}
		// Out of files, most likely: it passes, and ending here would take the whole server down.
		l.opts.Log.Warn("accepting a connection failed", "err", err, "again_in", wait)
		select {
		case <-time.After(wait):
		case <-l.ctx.Done():
		}
		wait = min(2*wait, time.Second)
	}
}

func (l *Listener) fail(err error) {
	l.mu.Lock()
	l.err = err
	l.mu.Unlock()
	l.stop()
}

func (l *Listener) admit(c net.Conn) {
	counted := l.crowd.admit(c)
	if counted == nil {
		_ = c.Close()
		return
	}
	l.wg.Add(1)
	go func() {
		defer l.wg.Done()
		if safely.Do(l.opts.Log, "accepting a connection", func() error { l.decide(counted); return nil }) != nil {
			_ = counted.Close()
		}
	}()
}

func (l *Listener) decide(c *conn) {
	out := l.protocol(c)
	if out == nil {
		return
	}
	select {
	case l.ready <- out:
	case <-l.ctx.Done():
		_ = c.Close()
	}
}

// tlsHandshake is the first byte of every TLS connection: a handshake record.
const tlsHandshake = 0x16

// protocol looks at the first byte and returns the connection to hand out, or nil after closing it.
func (l *Listener) protocol(c *conn) net.Conn {
	undo := context.AfterFunc(l.ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	defer undo()
	first := make([]byte, 1)
	err := c.SetReadDeadline(time.Now().Add(l.opts.FirstByte))
	if err == nil {
		_, err = io.ReadFull(c, first)
	}
	if err == nil {
		err = c.SetReadDeadline(time.Time{})
	}
	if err != nil || l.ctx.Err() != nil {
		_ = c.Close()
		return nil
	}
	c.first = first
	switch {
	case first[0] == tlsHandshake && l.opts.TLS != nil:
		c.tls = true
		return tls.Server(c, l.opts.TLS)
	case first[0] != tlsHandshake && l.opts.Plain(c.RemoteAddr()):
		return c
	}
	refuse(c, first[0] != tlsHandshake)
	return nil
}

// refuse answers a plain HTTP request with a hint. The request's head is read first: closing with unread bytes resets the
// connection, and the client would never see the answer.
func refuse(c *conn, plain bool) {
	defer func() { _ = c.Close() }()
	if !plain || c.SetDeadline(time.Now().Add(5*time.Second)) != nil {
		return
	}
	req, err := http.ReadRequest(bufio.NewReader(io.LimitReader(c, 16<<10)))
	if err != nil {
		return
	}
	const text = "This address speaks HTTPS only. Use https:// instead of http://.\n"
	res := http.Response{
		StatusCode: http.StatusUpgradeRequired, ProtoMajor: 1, ProtoMinor: 1, Request: req, Close: true,
		Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Upgrade": {"TLS/1.2, HTTP/1.1"}, "Connection": {"Upgrade"}},
		Body:   io.NopCloser(newText(text)), ContentLength: int64(len(text)),
	}
	_ = res.Write(c)
}
