package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// echo answers with the body; with the path /large, with more than a short call receives whole.
func echo(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	if r.URL.Path == "/v1/fleet/large" {
		text = []byte(strings.Repeat("x", 2*briefBody))
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text)
}

// A keeper that was restarted is reached by the next call, although the connections to the one before are still kept.
func TestShortCallsReachARestartedKeeper(t *testing.T) {
	dir := t.TempDir()
	keeper := func() *http.Server {
		ln, err := listenSocket(dir)
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: http.HandlerFunc(echo), ReadHeaderTimeout: time.Minute}
		go func() { _ = srv.Serve(ln) }()
		return srv
	}
	s := newStreams(dir)
	for i := range 3 {
		srv := keeper()
		for range 2 { // the second call uses the connection of the first
			want := strconv.Itoa(i)
			if got, err := fleetCall(t.Context(), s, 0, want); err != nil || got != want {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		}
		if n := len(s.brief.idle); n != 1 {
			t.Errorf("%d connections are kept, want 1", n)
		}
		_ = srv.Close()
	}
	if _, err := fleetCall(t.Context(), s, 0, "x"); err == nil {
		t.Error("a call succeeds without a keeper")
	}
}

// Small and large requests and answers arrive whole, and calls that have ended leave nothing behind.
func TestShortCallsOfAnySize(t *testing.T) {
	dir, conns := keeperSocket(t, echo)
	s := newStreams(dir)
	for _, size := range []int{0, 1, briefBody, briefBody + 1, 3 << 20} {
		want := strings.Repeat("y", size)
		if got, err := fleetCall(t.Context(), s, 0, want); err != nil || got != want {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
	}
	for range 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://keeper/v1/fleet/large", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err != nil || len(text) != 2*briefBody {
			t.Errorf("%d bytes, %v", len(text), err)
		}
		_ = res.Body.Close()
	}
	if n := s.calls.Load(); n != 0 || conns.Load() > 5 {
		t.Errorf("%d calls are counted when all have ended, over %d connections", n, conns.Load())
	}
}

// A call ends with its context, and its connection serves no other call.
func TestAShortCallEndsWithItsContext(t *testing.T) {
	here, end := make(chan struct{}), make(chan struct{})
	dir, _ := keeperSocket(t, func(w http.ResponseWriter, r *http.Request) {
		if text, _ := io.ReadAll(r.Body); string(text) == "wait" {
			here <- struct{}{}
			<-end
		}
		_, _ = io.WriteString(w, "done")
	})
	defer close(end)
	s := newStreams(dir)
	if got, err := fleetCall(t.Context(), s, 0, ""); got != "done" || err != nil {
		t.Fatal(got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-here; cancel() }()
	if _, err := fleetCall(ctx, s, 0, "wait"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that the call was cancelled", err)
	}
	if n := len(s.brief.idle); n != 0 {
		t.Errorf("%d connections are kept", n)
	}
	if got, err := fleetCall(t.Context(), s, 0, ""); got != "done" || err != nil {
		t.Errorf("the next call: %q, %v", got, err)
	}
}

// Connections that no call uses are closed after a while, each in its time.
func TestIdleConnectionsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Int64
		b := &brief{}
		add := func() {
			here, there := net.Pipe()
			open.Add(1)
			go func() {
				_, _ = io.Copy(io.Discard, there)
				open.Add(-1)
			}()
			b.release(&briefConn{Conn: here})
		}
		add()
		<-time.After(briefIdle / 2)
		add()
		for i, want := range []int64{1, 0} {
			<-time.After(briefIdle/2 + time.Millisecond)
			synctest.Wait()
			if n := open.Load(); n != want || len(b.idle) != int(want) {
				t.Errorf("step %d: %d connections are open and %d kept, want %d", i, n, len(b.idle), want)
			}
		}
	})
}
