package fleet

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

// fails lets the SuperLink answer as it does when its database is locked.
func (f *fixture) fails() {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`{"detail":"Internal server error."}`))
	})
	f.up.answer.Store(&h)
}

// later is a request that is signed by the gateway's clock.
func (f *fixture) later(path string, body []byte) *http.Request {
	return f.signed(f.key, f.g.o.Clock(), path, body)
}

// A 500 would end a stock SuperNode, or lose its reply. Each call that may be repeated gets a 503 and a time to wait instead.
func TestA500OfTheSuperLinkIsRetried(t *testing.T) {
	f := newFixture(t, nil)
	f.fails()
	for path, m := range methods {
		if m.never {
			continue
		}
		for _, size := range []int{100, 200 << 10} {
			if size > small && m.content == 0 {
				continue
			}
			res, err := http.DefaultClient.Do(f.request(path, bodyFor(path, ownID, publicPEM(t, f.key), size)))
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			want, wait := 503, "2 to 4"
			if path == "/v1/fleet/unregister-node" { // a second one is refused
				want, wait = 500, "none"
			}
			after, _ := strconv.Atoi(res.Header.Get("Retry-After")) // 0 where it is missing
			if res.StatusCode != want || want == 503 && (after < 2 || after > 4) || want == 500 && after != 0 {
				t.Errorf("%s, %d bytes: %s, Retry-After %q; want %d, %s", path, size, res.Status, res.Header.Get("Retry-After"), want, wait)
			}
		}
	}
}

// A reply that the SuperLink can never take is dropped in the end, so that the SuperNode gets on; a poll is never failed.
func TestA500IsPassedOnWhenItStays(t *testing.T) {
	for path, want := range map[string]int{"/v1/fleet/push-messages": 500, "/v1/fleet/pull-messages": 503} {
		f := newFixture(t, nil)
		try := func() int { status, _ := f.do(f.later(path, bodyFor(path, ownID, nil, 0))); return status }
		f.fails()
		if got := try(); got != 503 {
			t.Errorf("%s at first: %d", path, got)
		}
		f.now.Store(int64(repeatFor - time.Second))
		f.says([]byte("fine"))
		if got := try(); got != 200 {
			t.Errorf("%s: %d", path, got)
		}
		f.fails()
		f.now.Store(int64(repeatFor + time.Second))
		if got := try(); got != 503 {
			t.Errorf("%s failing again: %d", path, got)
		}
		for at := repeatFor + forgotten/2; at < 2*repeatFor; at += forgotten / 2 {
			f.now.Store(int64(at))
			if got := try(); got != 503 {
				t.Errorf("%s failing for %s: %d", path, at, got)
			}
		}
		f.now.Store(int64(2*repeatFor + 2*time.Second))
		if got := try(); got != want {
			t.Errorf("%s failing for long: %d, want %d", path, got, want)
		}
		f.now.Store(int64(3*repeatFor + 2*time.Second))
		if got := try(); got != 503 {
			t.Errorf("%s failing once, long after: %d", path, got)
		}
	}
}

// leaves sends a request whose client gives up once the SuperLink works on it. The SuperLink's answer comes after that.
func (f *fixture) leaves(t *testing.T, path string, body, answer []byte) (connection string) {
	t.Helper()
	at, let, remote := make(chan struct{}), make(chan struct{}), atomic.Value{}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		remote.Store(r.RemoteAddr)
		close(at)
		<-let
		if r.Context().Err() != nil {
			t.Errorf("%s was cancelled upstream", path)
		}
		_, _ = w.Write(answer)
	})
	f.up.answer.Store(&h)
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	r := f.request(path, body).WithContext(ctx)
	go func() {
		res, err := http.DefaultClient.Do(r)
		if err == nil {
			res.Body.Close()
		}
		gone <- err
	}()
	<-at
	leave()
	if err := <-gone; err == nil {
		t.Fatal("the client got an answer")
	}
	n := f.g.find(fingerprint(t, f.key))
	eventually(t, func() bool { n.mu.Lock(); defer n.mu.Unlock(); return len(n.calls) == 0 })
	if len(n.slots) != 1 {
		t.Errorf("%d slots are taken while the SuperLink works, want 1", len(n.slots))
	}
	close(let)
	eventually(t, func() bool { return len(n.slots) == 0 })
	return fmt.Sprint(remote.Load())
}

// A SuperNode gives a heartbeat up after 5 s. The connection to the busy SuperLink is used again.
func TestAHeartbeatGoesOnWithoutItsClient(t *testing.T) {
	f := newFixture(t, nil)
	const path = "/v1/fleet/send-node-heartbeat"
	first := f.leaves(t, path, bodyFor(path, ownID, nil, 0), []byte{1 << 3, 1})
	second := ""
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { second = r.RemoteAddr })
	f.up.answer.Store(&h)
	f.after(45 * time.Second) // until then heartbeats are answered from memory
	f.passes(t, "the next heartbeat", f.later(path, bodyFor(path, ownID, nil, 0)))
	if first != second {
		t.Errorf("the next heartbeat came from %s, the first from %s", second, first)
	}
}

// The SuperLink gives a message once. One that came after its poll was given up is the answer to the next poll, and to that alone.
func TestAMessageIsKeptForTheNextPoll(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Hold = 50 * time.Millisecond })
	body, full := bodyFor(pull, ownID, nil, 0), bytesField(nil, 2, message(ownID))
	f.leaves(t, pull, body, full)
	f.says(nil)
	n := f.g.find(fingerprint(t, f.key))
	eventually(t, func() bool { n.mu.Lock(); defer n.mu.Unlock(); return len(n.kept) == 1 })
	if status, got := f.do(f.request(pull, body)); status != 200 || got != string(full) {
		t.Fatalf("the next poll got %d %q, want the message", status, got)
	}
	if status, got := f.do(f.request(pull, body)); status != 200 || got != "" {
		t.Errorf("a further poll got %d %q", status, got)
	}
	f.leaves(t, pull, body, full)
	f.says(nil)
	eventually(t, func() bool { n.mu.Lock(); defer n.mu.Unlock(); return len(n.kept) == 1 })
	f.now.Store(int64(keptFor + time.Second))
	if status, got := f.do(f.later(pull, body)); status != 200 || got != "" {
		t.Errorf("an old message was given: %d %q", status, got)
	}
}

// A poll that waits already gets the message that an earlier one left behind.
func TestAKeptMessageWakesTheWaitingPoll(t *testing.T) {
	f := newFixture(t, nil)
	full := bytesField(nil, 2, message(ownID))
	f.says(nil)
	done := f.pullInBackground()
	until(t, "a poll upstream", func() bool { return f.up.ended.Load() == 1 })
	n := f.g.find(fingerprint(t, f.key))
	c := &call{g: f.g, node: n, key: domain.NodeKey{FederationID: fedID}}
	c.keepPoll(full)
	if got := <-done; got != "200 OK "+string(full) {
		t.Errorf("got %q, want the message", got)
	}
}
