package fleet

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

func TestSeenOnlineAndOffline(t *testing.T) {
	f := newFixture(t, nil)
	fp := fingerprint(t, f.key)
	body := bodyFor("/v1/fleet/send-node-heartbeat", ownID, nil, 0)
	f.passes(t, "heartbeat", f.request("/v1/fleet/send-node-heartbeat", body))
	if s := <-f.events; !s.Seen.Online || s.Key.Fingerprint != fp || s.Seen.FirstAt.IsZero() {
		t.Fatalf("came online: %+v", s)
	}
	eventually(t, func() bool { return f.g.find(fp).snapshot().Seen.BytesOut == int64(len("answer")) })
	f.store.fails = true
	if f.g.Flush(t.Context()) == nil {
		t.Fatal("a failed flush must be told")
	}
	f.store.fails = false
	if err := f.g.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := f.store.seen[fp]; got.BytesIn != int64(len(body)) || got.BytesOut != int64(len("answer")) || !got.Online {
		t.Fatalf("kept: %+v", got)
	}
	f.passes(t, "bye", f.request("/v1/fleet/deactivate-node", bodyFor("/v1/fleet/deactivate-node", ownID, nil, 0)))
	if s := <-f.events; s.Seen.Online {
		t.Fatal("deactivated, and online still")
	}
	f.passes(t, "back", f.request("/v1/fleet/send-node-heartbeat", body))
	if s := <-f.events; !s.Seen.Online {
		t.Fatal("not back online")
	}
	f.now.Store(int64(domain.OnlineWindow + time.Second))
	if err := f.g.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := <-f.events; s.Seen.Online || f.store.seen[fp].Online {
		t.Fatal("silent, and online still")
	}
}

// An agent says goodbye while its poll is still being held. The end of that poll does not bring it back online.
func TestTheEndOfAHeldPollIsNoSignOfLife(t *testing.T) {
	f := newFixture(t, nil)
	f.says(nil)
	done := f.pullInBackground()
	if s := <-f.events; !s.Seen.Online {
		t.Fatal("not online")
	}
	eventually(t, func() bool { return f.up.ended.Load() == 1 })
	f.passes(t, "bye", f.request("/v1/fleet/deactivate-node", bodyFor("/v1/fleet/deactivate-node", ownID, nil, 0)))
	if s := <-f.events; s.Seen.Online {
		t.Fatal("deactivated, and online still")
	}
	f.says(bytesField(nil, 2, message(ownID)))
	f.g.Wake(fedID)
	<-done
	n := f.g.find(fingerprint(t, f.key))
	eventually(t, func() bool { n.mu.Lock(); defer n.mu.Unlock(); return len(n.calls) == 0 })
	if n.snapshot().Seen.Online {
		t.Error("online again")
	}
	f.passes(t, "back", f.request("/v1/fleet/send-node-heartbeat", bodyFor("/v1/fleet/send-node-heartbeat", ownID, nil, 0)))
	if s := <-f.events; !s.Seen.Online {
		t.Error("not back online")
	}
}

func TestRestoredKeysGoOffline(t *testing.T) {
	f := newFixture(t, nil)
	k := enrolled(t, newKey(t), 3)
	k.Seen = domain.NodeSeen{Online: true, LastAt: time.Now().Add(-time.Hour), BytesIn: 5}
	f.g.Restore([]domain.NodeKey{k})
	if err := f.g.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := f.store.seen[k.Fingerprint]; got.Online || got.BytesIn != 5 {
		t.Fatalf("%+v", got)
	}
}

func TestStrangersLeaveNothingInMemory(t *testing.T) {
	f := newFixture(t, nil)
	for range 20 {
		k := newKey(t)
		f.refuses(t, "stranger", f.signed(k, time.Now(), "/v1/fleet/pull-messages", bodyFor("/v1/fleet/pull-messages", 1, nil, 0)), 401)
	}
	f.g.mu.Lock()
	defer f.g.mu.Unlock()
	if len(f.g.nodes) != 0 {
		t.Fatalf("%d nodes are remembered", len(f.g.nodes))
	}
}

// A revocation ends a request that is being held, with 401, and the next one is refused without asking an old memory.
func TestCutEndsHeldRequests(t *testing.T) {
	f := newFixture(t, nil)
	held := make(chan struct{})
	answer := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { close(held); <-r.Context().Done() })
	f.up.answer.Store(&answer)
	body := bodyFor("/v1/fleet/pull-messages", ownID, nil, 0)
	got := make(chan int, 1)
	go func() { code, _ := f.do(f.request("/v1/fleet/pull-messages", body)); got <- code }()
	<-held
	f.revoke(t)
	if code := <-got; code != 401 {
		t.Fatalf("a held request got %d", code)
	}
	f.refuses(t, "after the revocation", f.request("/v1/fleet/pull-messages", body), 401)
}

func TestCutEndsABodyBeingSent(t *testing.T) {
	f := newFixture(t, nil)
	whole := bodyFor("/v1/fleet/push-object", ownID, nil, 1<<20)
	r := f.request("/v1/fleet/push-object", whole)
	in, out := io.Pipe()
	r.Body, r.GetBody = in, nil
	r.ContentLength = int64(len(whole))
	got := make(chan int, 1)
	go func() {
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			got <- 0
			return
		}
		res.Body.Close()
		got <- res.StatusCode
	}()
	if _, err := out.Write(whole[:256<<10]); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return f.up.calls.Load() > 0 })
	f.revoke(t)
	if code := <-got; code != 401 && code != 0 {
		t.Fatalf("%d", code)
	}
	_ = out.Close()
	if f.up.complete.Load() != 0 {
		t.Fatal("the request was completed upstream")
	}
}

func (f *fixture) revoke(t *testing.T) {
	t.Helper()
	k := enrolled(t, f.key, ownID)
	k.RevokedAt = time.Now()
	f.keys.set(k)
	f.g.Cut(k.Fingerprint)
}

func TestKeysAreRememberedUntilForgotten(t *testing.T) {
	f := newFixture(t, nil)
	body := bodyFor("/v1/fleet/pull-messages", ownID, nil, 0)
	for range 5 {
		f.passes(t, "poll", f.request("/v1/fleet/pull-messages", body))
	}
	if f.keys.asks != 1 {
		t.Fatalf("looked up %d times", f.keys.asks)
	}
	f.g.Forget(fingerprint(t, f.key))
	f.passes(t, "poll", f.request("/v1/fleet/pull-messages", body))
	if f.keys.asks != 2 {
		t.Fatalf("looked up %d times", f.keys.asks)
	}
}

// A SuperNode that died and comes back at once is told to wait, not to end; a second one with the same key is told to end.
func TestActivationWhileStillOnline(t *testing.T) {
	f := newFixture(t, nil)
	still := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/fleet/activate-node" {
			w.WriteHeader(http.StatusPreconditionFailed)
		}
	})
	f.up.answer.Store(&still)
	hello := bodyFor("/v1/fleet/activate-node", ownID, publicPEM(t, f.key), 0)
	try := func() int { code, _ := f.do(f.request("/v1/fleet/activate-node", hello)); return code }
	if got := try(); got != 503 {
		t.Fatalf("first try: %d", got)
	}
	f.now.Store(int64(time.Second))
	f.passes(t, "heartbeat of another", f.request("/v1/fleet/send-node-heartbeat", bodyFor("/v1/fleet/send-node-heartbeat", ownID, nil, 0)))
	if got := try(); got != http.StatusPreconditionFailed {
		t.Fatalf("with another one alive: %d", got)
	}
}

// The SuperLink's own 401 must not end an approved SuperNode for good.
func TestUpstream401IsNotPassedOn(t *testing.T) {
	told := make(chan domain.NodeKey, 1)
	f := newFixture(t, func(o *Options) { o.OnUnknown = func(k domain.NodeKey) { told <- k } })
	no := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	f.up.answer.Store(&no)
	if code, _ := f.do(f.request("/v1/fleet/pull-messages", bodyFor("/v1/fleet/pull-messages", ownID, nil, 0))); code != 503 {
		t.Fatalf("%d", code)
	}
	if k := <-told; k.NodeID != ownID {
		t.Fatalf("%+v", k)
	}
}

func TestHeadersUpstream(t *testing.T) {
	f := newFixture(t, nil)
	got := make(chan http.Header, 1)
	answer := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header })
	f.up.answer.Store(&answer)
	r := f.request("/v1/fleet/pull-messages", bodyFor("/v1/fleet/pull-messages", ownID, nil, 0))
	for _, h := range []string{"Cookie", "Authorization", "X-Forwarded-For", "Flwr-Task-Token", "Flwr-Superexec-Ts", "Flwr-Package-Version"} {
		r.Header.Set(h, "x")
	}
	f.do(r)
	h := <-got
	if h.Get("Flwr-Package-Version") != "x" || h.Get("Flwr-Signature") == "" {
		t.Errorf("Flower's own headers are missing: %d", len(h))
	}
	for _, no := range []string{"Cookie", "Authorization", "X-Forwarded-For", "Flwr-Task-Token", "Flwr-Superexec-Ts"} {
		if h.Get(no) != "" {
			t.Errorf("%s went upstream", no)
		}
	}
}

func TestPaceAndConcurrency(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.CallsPerKey = 1 })
	held, let := make(chan struct{}), make(chan struct{})
	answer := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { held <- struct{}{}; <-let })
	f.up.answer.Store(&answer)
	body := bodyFor("/v1/fleet/pull-messages", ownID, nil, 0)
	done := make(chan int, 1)
	go func() { code, _ := f.do(f.request("/v1/fleet/pull-messages", body)); done <- code }()
	<-held
	f.refuses(t, "a second at once", f.request("/v1/fleet/pull-messages", body), 503)
	close(let)
	if code := <-done; code != 200 {
		t.Fatal(code)
	}
}

// A SuperNode on a coarse clock may sign one moment in many threads: it is told to sign anew, not ended. Who tries one signature more
// often than that has stolen it, and is slowed down.
func TestASignatureCountsOnce(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.CallsPerKey = 3 })
	body := bodyFor("/v1/fleet/pull-messages", ownID, nil, 0)
	at := time.Now()
	try := func(at time.Time) (status int, text string) {
		r := f.signed(f.key, at, "/v1/fleet/pull-messages", body)
		w := httptest.NewRecorder()
		in := httptest.NewRequest(http.MethodPost, r.URL.Path, bytes.NewReader(body))
		in.Header, in.RemoteAddr = r.Header, "192.0.2.7:999" // loopback is not slowed down
		f.g.ServeHTTP(w, in)
		return w.Code, w.Body.String()
	}
	if status, text := try(at); status != 200 {
		t.Fatal(status, text)
	}
	for range 2 {
		if status, text := try(at); status != 503 || !strings.Contains(text, "used before") {
			t.Fatalf("a second use: %d %s", status, text)
		}
	}
	if status, text := try(at.Add(time.Microsecond)); status != 200 {
		t.Fatalf("signed anew: %d %s", status, text)
	}
	slowed := 0
	for range 2 * failureBurst {
		if status, text := try(at); status != 503 {
			t.Fatal(status, text)
		} else if strings.Contains(text, "from this address") {
			slowed++
		}
	}
	if slowed == 0 {
		t.Error("one signature may be tried for ever")
	}
}

func TestReplayMemory(t *testing.T) {
	var p replays
	now := time.Unix(1_700_000_000, 0)
	for i := range 1000 {
		at := now.Add(time.Duration(i) * time.Second)
		if times, full := p.use(at, at); times != 1 || full {
			t.Fatal("a new one is taken for old")
		}
		for back := range 305 {
			old := at.Add(-time.Duration(back) * time.Second)
			if times, _ := p.use(old, at); times < 2 && !old.Before(now) {
				t.Fatalf("second %d: the one of %d s ago was forgotten", i, back)
			}
		}
	}
	if n := len(p.cur) + len(p.old); n > 2*350+305 {
		t.Fatalf("%d timestamps are remembered", n)
	}
	var q replays
	for i := range replayMost + 1 {
		if _, full := q.use(now.Add(time.Duration(i)), now); full != (i == replayMost) {
			t.Fatalf("full at %d", i)
		}
	}
}

// FuzzBody: whatever passes the check names no node but the key's own, by a second, plain reading of the bytes.
func FuzzBody(f *testing.F) {
	for path := range methods {
		f.Add(path, bodyFor(path, ownID, []byte("key"), 10))
		f.Add(path, bodyFor(path, otherID, []byte("other"), 10))
	}
	f.Fuzz(func(t *testing.T, path string, b []byte) {
		m, ok := methods[path]
		if !ok || m.body.check(b, owner{nodeID: ownID, pem: []byte("key")}) != nil {
			return
		}
		if bytes.Contains(b, nodeMsg(otherID)) && !bytes.Contains(b, nodeMsg(ownID)) && m.body[1].kind != isKey {
			t.Fatalf("%s: %x passes and does not name the key's own node", path, b)
		}
		if ids := namedNodes(m.body, b); ids[otherID] {
			t.Fatalf("%s: %x names another node", path, b)
		}
	})
}

// A suspended key waits with 503, its held poll included, and goes on with the first try after it was resumed.
func TestASuspendedKeyWaits(t *testing.T) {
	f := newFixture(t, nil)
	const path = "/v1/fleet/pull-messages"
	body := bodyFor(path, ownID, nil, 0)
	f.passes(t, "before", f.request(path, body))
	fp := fingerprint(t, f.key)
	good, err := f.keys.ByFingerprint(t.Context(), fp)
	if err != nil {
		t.Fatal(err)
	}
	suspended := good
	suspended.SuspendedAt = time.Now()
	f.keys.set(suspended)
	f.g.Pause(fp)
	f.refuses(t, "suspended", f.request(path, body), http.StatusServiceUnavailable)
	f.refuses(t, "suspended still", f.request(path, body), http.StatusServiceUnavailable)
	f.keys.set(good)
	f.passes(t, "resumed", f.request(path, body))
}
