package engine

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// streams carries Fleet calls to a keeper's socket. A few connections carry all of them side by side (HTTP/2 without TLS): a poll that is
// held costs no connection and no file descriptor.
type streams struct {
	dir string
	tr  *http.Transport

	mu  sync.Mutex
	key string // of the socket; empty: to be read
}

func newStreams(dir string) *streams {
	s := &streams{dir: dir, tr: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, dir) },
		Protocols:   &http.Protocols{}, HTTP2: &http.HTTP2Config{MaxReceiveBufferPerConnection: 64 << 20, MaxReceiveBufferPerStream: 4 << 20},
		DisableCompression: true, IdleConnTimeout: time.Minute,
	}}
	s.tr.Protocols.SetUnencryptedHTTP2(true)
	return s
}

// RoundTrip implements http.RoundTripper.
func (s *streams) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", "keeper"
	r.Header.Set(keyHeader, s.socketKey())
	res, err := s.tr.RoundTrip(r)
	if err == nil && res.StatusCode == http.StatusForbidden &&
		res.Header.Get("Content-Type") != "application/json" { // the keeper's own refusal
		s.mu.Lock()
		s.key = ""
		s.mu.Unlock()
	}
	return res, err
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
