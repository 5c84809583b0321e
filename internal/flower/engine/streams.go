package engine

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"blossomtune/internal/flower/superlink"
)

// streams carries Fleet calls to a keeper's socket. A few connections carry the polls that may be held side by side (HTTP/2 without TLS):
// a held poll costs no connection and no file descriptor. Of the other calls, up to briefCalls at once go over connections of HTTP/1.1,
// which takes half the processor time of HTTP/2.
type streams struct {
	dir   string
	held  *http.Transport
	brief *http.Transport
	calls atomic.Int64 // that are on brief's connections

	mu  sync.Mutex
	key string // of the socket; empty: to be read
}

func newStreams(dir string) *streams {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, dir) }
	s := &streams{dir: dir,
		held: &http.Transport{DialContext: dial, Protocols: &http.Protocols{}, HTTP2: &http.HTTP2Config{MaxReceiveBufferPerConnection: 64 << 20,
			MaxReceiveBufferPerStream: 4 << 20}, DisableCompression: true, IdleConnTimeout: time.Minute},
		brief: &http.Transport{DialContext: dial, DisableCompression: true, MaxIdleConnsPerHost: briefCalls,
			IdleConnTimeout: 10 * time.Second, WriteBufferSize: 32 << 10, ReadBufferSize: 32 << 10},
	}
	s.held.Protocols.SetUnencryptedHTTP2(true)
	return s
}

// briefCalls bounds the connections of HTTP/1.1, each of which takes a file descriptor for as long as its call lasts.
const briefCalls = 256

// RoundTrip implements http.RoundTripper.
func (s *streams) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", "keeper"
	r.Header.Set(keyHeader, s.socketKey())
	res, err := s.send(r)
	if err == nil && res.StatusCode == http.StatusForbidden &&
		res.Header.Get("Content-Type") != "application/json" { // the keeper's own refusal
		s.mu.Lock()
		s.key = ""
		s.mu.Unlock()
	}
	return res, err
}

func (s *streams) send(r *http.Request) (*http.Response, error) {
	if r.Header.Get(superlink.HeaderHold) != "" {
		return s.held.RoundTrip(r)
	}
	if s.calls.Add(1) > briefCalls {
		s.calls.Add(-1)
		return s.held.RoundTrip(r)
	}
	res, err := s.brief.RoundTrip(r)
	if err != nil {
		s.calls.Add(-1)
		return nil, err
	}
	res.Body = &counted{ReadCloser: res.Body, calls: &s.calls}
	return res, nil
}

// counted is the body of an answer; its call counts until it is closed.
type counted struct {
	io.ReadCloser
	calls *atomic.Int64
	once  sync.Once
}

// Close implements io.Closer.
func (c *counted) Close() error {
	c.once.Do(func() { c.calls.Add(-1) })
	return c.ReadCloser.Close()
}

// socketKey returns the key of the socket, which is read anew only after a refusal.
func (s *streams) socketKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key == "" {
		s.key = readSocketKey(s.dir)
	}
	return s.key
}
