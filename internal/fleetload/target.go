package fleetload

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"blossomtune/internal/domain"
)

// Target is the server that gets the load.
type Target struct {
	URL   string         // https://host:port or http://host:port; its host must resolve to loopback addresses only
	Roots *x509.CertPool // vouch for its certificate; nil: the system's
}

// dialer connects to a target.
type dialer struct {
	addr string      // ip:port
	host string      // of the Host header
	tls  *tls.Config // nil: plain HTTP
	// verified is the leaf certificate that was checked last. The chain is checked once for each certificate, not for each connection,
	// because that would cost the generator more than the server.
	verified atomic.Pointer[[]byte]
}

func newDialer(ctx context.Context, t Target) (*dialer, error) {
	u, err := url.Parse(t.URL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, domain.Errorf(domain.Invalid, "%q is not a server's address.", t.URL).Fix("Use https://localhost:PORT.")
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	ip, err := loopback(ctx, u.Hostname())
	if err != nil {
		return nil, err
	}
	d := &dialer{addr: net.JoinHostPort(ip.String(), port), host: u.Host}
	if u.Scheme == "https" {
		d.tls = d.config(u.Hostname(), t.Roots)
	}
	return d, nil
}

// loopback returns the address of a host whose addresses are all of this machine's loopback interface.
func loopback(ctx context.Context, host string) (net.IP, error) {
	addrs, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil || len(addrs) == 0 {
		return nil, domain.Errorf(domain.Invalid, "The host %q cannot be resolved.", host).Because(err)
	}
	found := addrs[0].IP
	for _, a := range addrs {
		if !a.IP.IsLoopback() {
			return nil, domain.Errorf(domain.Forbidden, "%s is not a loopback address.", a.IP).Fix("Load tests work on this machine only.")
		}
		if a.IP.To4() != nil {
			found = a.IP // most servers listen there
		}
	}
	return found, nil
}

func (d *dialer) config(name string, roots *x509.CertPool) *tls.Config {
	verify := func(s tls.ConnectionState) error {
		leaf := s.PeerCertificates[0]
		if known := d.verified.Load(); known != nil && bytes.Equal(*known, leaf.Raw) {
			return nil
		}
		between := x509.NewCertPool()
		for _, c := range s.PeerCertificates[1:] {
			between.AddCert(c)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: name}); err != nil {
			return err
		}
		d.verified.Store(&leaf.Raw)
		return nil
	}
	// Verification is replaced, not left out. Python's clients resume no sessions, so neither do these.
	return &tls.Config{ServerName: name, InsecureSkipVerify: true, VerifyConnection: verify, //nolint:gosec // load tests
		NextProtos: []string{"http/1.1"},
		MinVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256}}
}

// errHandshake marks a TLS connection that could not be set up.
var errHandshake = errors.New("TLS handshake failed")

// perAddress is how many nodes share an address that they call from. A server bounds the connections of one address, and a client has so
// many ports.
const perAddress = 1000

// from is the address that a node calls from: all of 127.0.0.0/8 is this machine, on Linux. nil: any.
func (d *dialer) from(node int) net.IP {
	if !strings.HasPrefix(d.addr, "127.") || runtime.GOOS != "linux" {
		return nil
	}
	return net.IPv4(127, 0, 1, byte(1+node/perAddress))
}

// dial opens a connection. limit bounds connecting, and then each read and write.
func (d *dialer) dial(ctx context.Context, from net.IP, limit time.Duration, count *traffic) (*timedConn, net.Conn, error) {
	out := net.Dialer{Timeout: limit}
	if from != nil {
		out.LocalAddr = &net.TCPAddr{IP: from}
	}
	raw, err := out.DialContext(ctx, "tcp", d.addr)
	if err != nil {
		return nil, nil, err
	}
	t := &timedConn{Conn: raw, limit: limit, count: count}
	if d.tls == nil {
		return t, t, nil
	}
	secure := tls.Client(t, d.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, nil, fmt.Errorf("%w: %w", errHandshake, err)
	}
	return t, secure, nil
}

// traffic counts bytes on the network.
type traffic struct{ sent, received atomic.Int64 }

// timedConn bounds each read and each write, as httpx does, and counts bytes.
type timedConn struct {
	net.Conn
	limit time.Duration
	count *traffic
}

func (c *timedConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	c.count.received.Add(int64(n))
	return n, err
}

func (c *timedConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	c.count.sent.Add(int64(n))
	return n, err
}
