package wire

import (
	"context"
	"crypto/elliptic"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

type connCount struct{}

// The first request on each connection of a busy client binds it, and no other carries a binding.
func TestEachConnectionIsBoundOnce(t *testing.T) {
	key := newKey(t, elliptic.P256())
	public, err := PublicPEM(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	_, fingerprint, err := ParsePublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	signer := &Signer{PublicPEM: public, Fingerprint: fingerprint, key: &key.PublicKey}
	var conns, bad atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		first := r.Context().Value(connCount{}).(*atomic.Int64).Add(1) == 1
		text := r.Header.Get(HeaderChannel)
		if first && signer.VerifyChannel(*r.TLS, text) != nil || !first && text != "" {
			bad.Add(1)
		}
	}))
	s.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		conns.Add(1)
		return context.WithValue(ctx, connCount{}, &atomic.Int64{})
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 4}
	t.Cleanup(tr.CloseIdleConnections)
	channels := NewChannels(key)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 30 {
				r, err := http.NewRequest(http.MethodPost, s.URL, nil)
				if err != nil {
					t.Error(err)
					return
				}
				res, err := tr.RoundTrip(channels.Bind(r))
				if err != nil {
					t.Error(err)
					return
				}
				res.Body.Close()
			}
		})
	}
	wg.Wait()
	if bad.Load() != 0 || conns.Load() < 2 {
		t.Errorf("%d of the requests on %d connections were bound wrongly", bad.Load(), conns.Load())
	}
}

// A binding is of one connection and one key.
func TestABindingIsOfOneConnection(t *testing.T) {
	states := make(chan tls.ConnectionState, 1)
	s := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { states <- *r.TLS }))
	t.Cleanup(s.Close)
	dial := func() (client, server tls.ConnectionState) {
		conn, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		return conn.ConnectionState(), <-states
	}
	mine, here := dial()
	_, elsewhere := dial()
	key, other := newKey(t, elliptic.P384()), newKey(t, elliptic.P384())
	text, err := SignChannel(key, mine)
	if err != nil {
		t.Fatal(err)
	}
	signer, stranger := &Signer{key: &key.PublicKey}, &Signer{key: &other.PublicKey}
	if err := signer.VerifyChannel(here, text); err != nil {
		t.Error(err)
	}
	if signer.VerifyChannel(elsewhere, text) == nil || stranger.VerifyChannel(here, text) == nil || signer.VerifyChannel(here, "") == nil {
		t.Error("a binding passes for another connection, another key, or without a signature")
	}
}
