package agent

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// connection is the agent's way to the server: whom it trusts, and what time it is there. Its methods are safe for concurrent use.
type connection struct {
	srv   server
	clock *serverClock

	mu     sync.Mutex
	caPEM  string
	calls  *http.Client      // of the agent itself
	stream http.RoundTripper // of the SuperNode, whose polls are held open
}

// connect returns a connection that trusts caPEM alone, or this machine's roots if it is empty.
func connect(srv server, caPEM string, clock *serverClock) (*connection, error) {
	c := &connection{srv: srv, clock: clock}
	return c, c.trust(caPEM)
}

// trust changes whom the connection trusts; what is under way goes on.
func (c *connection) trust(caPEM string) error {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, Time: c.clock.now}
	if caPEM != "" {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM([]byte(caPEM)) {
			return fmt.Errorf("the CA certificate cannot be read")
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls != nil {
		c.calls.CloseIdleConnections()
	}
	c.caPEM, c.calls = caPEM, newHTTPClient(conf)
	c.calls.Transport = timed{c.calls.Transport, c.clock}
	c.stream = timed{&http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf.Clone(), TLSHandshakeTimeout: 10 * time.Second,
		ResponseHeaderTimeout: 2 * time.Minute, MaxIdleConnsPerHost: 8, IdleConnTimeout: 20 * time.Second, DisableCompression: true,
	}, c.clock}
	return nil
}

func (c *connection) client() *http.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

func (c *connection) transport() http.RoundTripper {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stream
}

// close gives up idle connections.
func (c *connection) close() { c.client().CloseIdleConnections() }
