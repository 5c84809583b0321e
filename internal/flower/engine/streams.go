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
// which takes half the processor time of HTTP/2, or a quarter for calls of up to briefBody bytes.
type streams struct {
	dir   string
	held  *http.Transport
	brief *brief
	large *http.Transport
	calls atomic.Int64 // on connections of HTTP/1.1

	mu  sync.Mutex
	key string // of the socket; empty: to be read
}

func newStreams(dir string) *streams {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, dir) }
	s := &streams{dir: dir,
		held: &http.Transport{DialContext: dial, Protocols: &http.Protocols{}, HTTP2: &http.HTTP2Config{MaxReceiveBufferPerConnection: 64 << 20,
			MaxReceiveBufferPerStream: 4 << 20}, DisableCompression: true, IdleConnTimeout: time.Minute},
		brief: &brief{dial: func(ctx context.Context) (net.Conn, error) { return dialSocket(ctx, dir) }},
		large: &http.Transport{DialContext: dial, DisableCompression: true, MaxIdleConnsPerHost: briefCalls,
			IdleConnTimeout: 10 * time.Second, WriteBufferSize: 32 << 10, ReadBufferSize: 32 << 10},
	}
	s.held.Protocols.SetUnencryptedHTTP2(true)
	return s
}

// briefCalls bounds the connections of HTTP/1.1, each of which takes a file descriptor for as long as its call lasts.
const briefCalls = 256

// RoundTrip implements http.RoundTripper.
func (s *streams) RoundTrip(r *http.Request) (*http.Response, error) {
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
		return s.held.RoundTrip(s.keyed(r))
	}
	if s.calls.Add(1) > briefCalls {
		s.calls.Add(-1)
		return s.held.RoundTrip(s.keyed(r))
	}
	var res *http.Response
	var err error
	if r.Method == http.MethodPost && r.Body != nil && r.ContentLength >= 0 && r.ContentLength <= briefBody {
		res, err = s.brief.call(r, s.socketKey())
	} else {
		res, err = s.large.RoundTrip(s.keyed(r))
	}
	if err != nil {
		s.calls.Add(-1)
		return nil, err
	}
	res.Body = &counted{ReadCloser: res.Body, calls: &s.calls}
	return res, nil
}

// keyed returns a request for the keeper, with the key of its socket.
func (s *streams) keyed(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", "keeper"
	r.Header.Set(keyHeader, s.socketKey())
	return r
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
