package portmux

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"

	"blossomtune/internal/tlsca"
)

var few = Limits{Conns: 40, PerAddress: 30, Strangers: 20, StrangersPer: 10}

// flood opens n connections from an address and says something on each. They stay open until the server or the test ends them.
func flood(t *testing.T, addr, from, say string, n int) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	for range n {
		c, err := d.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, say); err != nil {
			continue // it made room already
		}
	}
}

const slowBody = "POST /signin HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na"

// Whatever strangers hold open, also from the same address, everyone else gets in, and those who were recognised stay.
func TestAFloodShutsNoOneOut(t *testing.T) {
	for name, say := range map[string]string{"silent": "", "half a TLS handshake": "\x16\x03\x01", "half a head": "GET / HTTP/1.1\r\n", "slow body": slowBody} {
		t.Run(name, func(t *testing.T) {
			addr := serveWith(t, Options{Limits: few}, Rates{}, known)
			friend := clientFrom("127.0.0.1")
			if got, _ := reused(t, friend, "http://"+addr+"/known"); got != "known" {
				t.Fatal(got)
			}
			for i := range 4 {
				flood(t, addr, fmt.Sprintf("127.0.0.%d", 1+i), say, 50)
			}
			if got, same := reused(t, friend, "http://"+addr+"/known"); got != "known" || !same {
				t.Errorf("a trusted connection did not survive: %q, same connection: %v", got, same)
			}
			for _, from := range []string{"127.0.0.1", "127.0.0.9"} {
				if got, _ := reused(t, clientFrom(from), "https://"+addr+"/known"); got != "known" {
					t.Errorf("from %s: %q", from, got)
				}
			}
		})
	}
}

// Strangers never hold more than their share.
func TestStrangersHaveTheirShare(t *testing.T) {
	w := newCrowd(Options{Limits: few, Write: time.Second})
	var all []*conn
	for i := range 200 {
		a, b := net.Pipe()
		t.Cleanup(func() { a.Close(); b.Close() })
		c := w.admit(addressed{a, fmt.Sprintf("10.0.0.%d", i%7)})
		if c == nil {
			t.Fatal("a stranger was turned away")
		}
		all = append(all, c)
	}
	if len(w.strangers) != few.Strangers || w.all != few.Strangers {
		t.Errorf("strangers hold %d of %d connections, want %d", len(w.strangers), w.all, few.Strangers)
	}
	for p, n := range w.peers {
		if n.strangers > 4 {
			t.Errorf("%s holds %d", p, n.strangers)
		}
	}
	for _, c := range all {
		w.leave(c)
	}
	if w.all != 0 || len(w.strangers) != 0 || len(w.peers) != 0 {
		t.Errorf("after all have left: %d, %d, %d", w.all, len(w.strangers), len(w.peers))
	}
}

// One address cannot take all connections, not even with a key or a session.
func TestTrustHasALimitByAddress(t *testing.T) {
	w := newCrowd(Options{Limits: few, Write: time.Second})
	admit := func(ip string) *conn {
		a, b := net.Pipe()
		t.Cleanup(func() { a.Close(); b.Close() })
		c := w.admit(addressed{a, ip})
		if c != nil {
			w.setStranger(c, false)
		}
		return c
	}
	for i := range few.PerAddress {
		if admit("2001:db8::"+fmt.Sprint(i)) == nil {
			t.Fatalf("connection %d was turned away", i)
		}
	}
	if admit("2001:db8::ffff") != nil {
		t.Error("one network has more than its share")
	}
	for i := range few.Conns - few.PerAddress {
		if admit("2001:db8:0:1::1") == nil {
			t.Fatalf("connection %d of another network was turned away", i)
		}
	}
	if admit("192.0.2.1") != nil {
		t.Error("there are more connections than the limit")
	}
}

type addressed struct {
	net.Conn
	ip string
}

func (a addressed) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(a.ip), Port: 1} }

// Behind a proxy many people share its address and its connections.
func TestBehindAProxyTrustIsOfARequest(t *testing.T) {
	addr := serveWith(t, Options{Limits: few, Proxied: true}, Rates{}, func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(connKey{}).(*conn)
		c.crowd.mu.Lock()
		stranger := c.stranger
		c.crowd.mu.Unlock()
		if r.URL.Path == "/known" {
			Trust(r.Context())
		}
		fmt.Fprint(w, stranger)
	})
	c := clientFrom("127.0.0.1")
	for _, path := range []string{"/known", "/", "/known", "/"} {
		if got, _ := reused(t, c, "http://"+addr+path); got != "true" {
			t.Errorf("%s began as a stranger's: %s", path, got)
		}
	}
}

// known trusts whoever asks for /known, and reads what it is sent.
func known(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	if r.URL.Path == "/known" {
		Trust(r.Context())
	}
	_, _ = io.WriteString(w, r.URL.Path[1:])
}

func serveWith(t *testing.T, o Options, rates Rates, h http.HandlerFunc) (addr string) {
	t.Helper()
	ca, err := tlsca.Open(tlsca.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.TLS = ca.TLSConfig()
	s := &http.Server{Handler: Pace(h, rates)}
	Limit(s)
	l := New(inner, o)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return inner.Addr().String()
}

func clientFrom(ip string) *http.Client {
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: d.DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
}

// reused gets a page and reports whether an earlier connection served it.
func reused(t *testing.T, c *http.Client, url string) (text string, same bool) {
	t.Helper()
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { same = i.Reused }})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		return err.Error(), same
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return string(b), same
}

var quick = Rates{Idle: 60 * time.Millisecond, Grace: 150 * time.Millisecond, Bytes: 1000, Write: 100 * time.Millisecond}

// A body that stops or trickles ends its request, whether the handler reads it or not, and the connection is closed.
func TestASlowBodyIsCut(t *testing.T) {
	handlers := map[string]http.HandlerFunc{
		"read":            func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) },
		"not read":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"not read, large": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 100<<10)) },
	}
	for name, h := range handlers {
		for pace, gap := range map[string]time.Duration{"stops": time.Hour, "trickles": 20 * time.Millisecond} {
			t.Run(name+" "+pace, func(t *testing.T) {
				addr := serveWith(t, Options{}, quick, h)
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				go trickle(c, gap)
				_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
				if _, err := io.Copy(io.Discard, bufio.NewReader(c)); err != nil && isTimeout(err) {
					t.Fatal("the connection is still open after 10 s")
				}
			})
		}
	}
}

// trickle sends a request whose body comes byte by byte.
func trickle(c net.Conn, gap time.Duration) {
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\na"); err != nil {
		return
	}
	tick := time.NewTicker(gap)
	defer tick.Stop()
	for range tick.C {
		if _, err := c.Write([]byte("a")); err != nil {
			return
		}
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func TestASlowBodyOfAStreamIsCut(t *testing.T) {
	read := make(chan error, 1)
	addr := serveWith(t, Options{}, quick, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
	})
	body, feed := io.Pipe()
	defer feed.Close()
	go func() { _, _ = feed.Write([]byte("a")) }()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+addr, body)
	go func() {
		if res, err := clientFrom("127.0.0.1").Do(req); err == nil {
			res.Body.Close()
		}
	}()
	select {
	case err := <-read:
		if err == nil {
			t.Error("the body ended well")
		}
	case <-time.After(10 * time.Second):
		t.Error("the handler still waits after 10 s")
	}
}

// An answer that is held open, a stream of events and a steady upload have no limit in all.
func TestWhatIsMeantToLastLasts(t *testing.T) {
	const rounds = 20
	addr := serveWith(t, Options{}, quick, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		rc := http.NewResponseController(w)
		tick := time.NewTicker(quick.Write / 4)
		defer tick.Stop()
		for range rounds {
			select {
			case <-tick.C:
			case <-r.Context().Done():
				t.Error("the request was cancelled")
				return
			}
			_, _ = io.WriteString(w, "e")
			if err := rc.Flush(); err != nil {
				t.Error(err)
			}
		}
	})
	for _, scheme := range []string{"http", "https"} {
		body, feed := io.Pipe()
		go func() {
			tick := time.NewTicker(quick.Idle / 3)
			defer tick.Stop()
			for range rounds {
				<-tick.C
				_, _ = feed.Write(make([]byte, 1000)) // 50 kB a second
			}
			feed.Close()
		}()
		res, err := clientFrom("127.0.0.1").Post(scheme+"://"+addr, "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if len(text) != rounds || err != nil {
			t.Errorf("%s: %d of %d events, %v", scheme, len(text), rounds, err)
		}
	}
}

// A client that does not read its answer holds no handler.
func TestASlowReaderIsCut(t *testing.T) {
	wrote := make(chan error, 1)
	addr := serveWith(t, Options{Write: quick.Write}, quick, func(w http.ResponseWriter, _ *http.Request) {
		var err error
		for range 1000 {
			if _, err = w.Write(make([]byte, 64<<10)); err != nil {
				break
			}
		}
		wrote <- err
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, scheme := range []string{"http", "https"} {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+addr, nil)
		res, err := clientFrom("127.0.0.1").Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		select {
		case err := <-wrote:
			if err == nil {
				t.Errorf("%s: everything was written to a client that reads nothing", scheme)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: the handler still waits after 10 s", scheme)
		}
	}
}
