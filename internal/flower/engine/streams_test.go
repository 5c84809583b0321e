package engine

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"blossomtune/internal/flower/superlink"
)

// keeperSocket serves a keeper's socket in a new directory and counts the connections that are made to it.
func keeperSocket(tb testing.TB, h http.HandlerFunc) (dir string, conns *atomic.Int64) {
	tb.Helper()
	dir, conns = tb.TempDir(), &atomic.Int64{}
	ln, err := listenSocket(dir)
	if err != nil {
		tb.Fatal(err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, Protocols: &http.Protocols{},
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams}, ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				conns.Add(1)
			}
		}}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = srv.Serve(ln) }()
	tb.Cleanup(func() { _ = srv.Close() })
	return dir, conns
}

// fleetCall makes one call; hold is the time for which it may be held.
func fleetCall(ctx context.Context, s *streams, hold time.Duration, body string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://keeper/v1/fleet/x", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	if hold > 0 {
		r.Header.Set(superlink.HeaderHold, strconv.FormatInt(hold.Milliseconds(), 10))
	}
	res, err := s.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}

// However many calls wait at the keeper, further ones get through, and they take a bounded number of connections.
func TestCallsToTheKeeperTakeFewConnections(t *testing.T) {
	const polls, calls = 1000, 2 * briefCalls
	var here sync.WaitGroup
	here.Add(polls + calls)
	dir, conns := keeperSocket(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		here.Done()
		here.Wait() // all are here at once
		_, _ = w.Write(text)
	})
	s := newStreams(dir)
	var all sync.WaitGroup
	for i := range polls + calls {
		all.Go(func() {
			hold := time.Duration(0)
			if i < polls {
				hold = time.Minute
			}
			want := strconv.Itoa(i)
			if got, err := fleetCall(t.Context(), s, hold, want); err != nil || got != want {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		})
	}
	all.Wait()
	if n := conns.Load(); n > briefCalls+polls/5 { // the first polls dial at once
		t.Errorf("%d connections", n)
	}
	if n := s.calls.Load(); n != 0 {
		t.Errorf("%d calls are counted when all have ended", n)
	}
}

// BenchmarkCallToTheKeeper is one call of 1 KB as the gateway makes it, over each protocol; both sides are in this process.
func BenchmarkCallToTheKeeper(b *testing.B) {
	dir, _ := keeperSocket(b, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	body := strings.Repeat("x", 1024)
	for name, hold := range map[string]time.Duration{"HTTP1": 0, "HTTP2": time.Second} {
		b.Run(name, func(b *testing.B) {
			s := newStreams(dir)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := fleetCall(b.Context(), s, hold, body); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
