package fleet

import (
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

// flowerLink answers heartbeats as Flower's SuperLink does.
type flowerLink struct {
	f      *fixture
	got    atomic.Int64
	until  atomic.Int64 // nanoseconds by the fixture's clock
	status atomic.Int64 // of its answers; 0: 200
	lost   atomic.Bool  // it does not know the SuperNode
}

func (f *fixture) flower() *flowerLink {
	l := &flowerLink{f: f}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.serve(w, r) })
	f.up.heard.Store(&h)
	return l
}

func (l *flowerLink) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.URL.Path != beat {
		return
	}
	l.got.Add(1)
	if status := l.status.Load(); status != 0 {
		w.WriteHeader(int(status))
		return
	}
	if l.lost.Load() {
		return // success is false
	}
	every := math.Float64frombits(binary.LittleEndian.Uint64(body[len(body)-8:]))
	l.until.Store(l.f.g.o.Clock().Add(time.Duration(2 * every * float64(time.Second))).UnixNano())
	_, _ = w.Write([]byte{1 << 3, 1})
}

func (l *flowerLink) online() time.Duration {
	return time.Unix(0, l.until.Load()).Sub(l.f.g.o.Clock())
}

func (f *fixture) after(d time.Duration) { f.now.Add(int64(d)) }

// heartbeat sends one at the gateway's time.
func (f *fixture) heartbeat() (int, string) {
	return f.do(f.signed(f.key, f.g.o.Clock(), beat, bodyFor(beat, ownID, nil, 0)))
}

const taken = "\x08\x01" // SendNodeHeartbeatResponse{success: true}

// As long as heartbeats come here, the SuperLink takes the SuperNode for online, though it gets few of them; and not for long after.
func TestFewHeartbeatsReachFlower(t *testing.T) {
	f := newFixture(t, nil)
	link := f.flower()
	const beats = 40
	for i := range beats {
		if i > 0 && link.online() <= 0 {
			t.Fatalf("after %d heartbeats the SuperLink took the SuperNode for offline", i)
		}
		if status, text := f.heartbeat(); status != http.StatusOK || text != taken {
			t.Fatalf("heartbeat %d: %d %q", i, status, text)
		}
		if left := link.online(); left < domain.OnlineWindow-time.Second || left > 90*time.Second {
			t.Errorf("after heartbeat %d the SuperLink waits for another %v", i, left)
		}
		f.after(17500*time.Millisecond + rand.N(5*time.Second))
	}
	if got := link.got.Load(); got < beats/4 || got > beats/2 {
		t.Errorf("%d of %d heartbeats reached the SuperLink", got, beats)
	}
}

// A SuperLink that fails or is slow does not make SuperNodes believe that the server is gone, until it takes them for offline itself.
func TestAFailingSuperLinkGetsTime(t *testing.T) {
	f := newFixture(t, nil)
	link := f.flower()
	f.heartbeat()
	link.status.Store(http.StatusInternalServerError)
	for range 3 {
		f.after(20 * time.Second)
		if status, text := f.heartbeat(); status != http.StatusOK || text != taken {
			t.Errorf("%d %q", status, text)
		}
	}
	f.after(40 * time.Second)
	if status, _ := f.heartbeat(); status != http.StatusServiceUnavailable {
		t.Errorf("when the SuperLink takes it for offline: %d", status)
	}
	if got := link.got.Load(); got != 4 {
		t.Errorf("%d heartbeats were passed on, want 4", got)
	}
	link.status.Store(0)
	if status, text := f.heartbeat(); status != http.StatusOK || text != taken || link.online() <= 0 {
		t.Errorf("afterwards: %d %q", status, text)
	}
}

// What is remembered of heartbeats ends with what it was true for.
func TestAHeartbeatIsPassedOnAfterAChange(t *testing.T) {
	for name, change := range map[string]func(f *fixture, l *flowerLink){
		"a goodbye": func(f *fixture, _ *flowerLink) {
			f.do(f.request("/v1/fleet/deactivate-node", bodyFor("/v1/fleet/deactivate-node", ownID, nil, 0)))
		},
		"an activation": func(f *fixture, _ *flowerLink) {
			f.do(f.request("/v1/fleet/activate-node", bodyFor("/v1/fleet/activate-node", ownID, publicPEM(f.t, f.key), 0)))
		},
		"a pause": func(f *fixture, _ *flowerLink) { f.after(45 * time.Second) },
	} {
		f := newFixture(t, nil)
		link := f.flower()
		f.heartbeat()
		change(f, link)
		link.lost.Store(true)
		if status, text := f.heartbeat(); status != http.StatusOK || text != "" {
			t.Errorf("after %s: %d %q, want what the SuperLink says", name, status, text)
		}
		link.lost.Store(false)
		if status, text := f.heartbeat(); status != http.StatusOK || text != taken || link.got.Load() != 3 {
			t.Errorf("after %s and an unknown SuperNode: %d %q, %d passed on", name, status, text, link.got.Load())
		}
	}
}

// A suspended key's heartbeat is not answered from memory.
func TestASuspendedKeysHeartbeatIsRefused(t *testing.T) {
	f := newFixture(t, nil)
	f.flower()
	f.heartbeat()
	k := enrolled(t, f.key, ownID)
	k.SuspendedAt = time.Now()
	f.keys.set(k)
	f.g.Pause(k.Fingerprint)
	if status, _ := f.heartbeat(); status != http.StatusServiceUnavailable {
		t.Errorf("%d", status)
	}
}

func TestOnlyOrdinaryHeartbeatsAreStretched(t *testing.T) {
	good := bodyFor(beat, ownID, nil, 0)
	every, longer := announce(good)
	if every != 30 || len(longer) != len(good) {
		t.Fatalf("%v %x", every, longer)
	}
	if again, _ := announce(longer); again != 45 {
		t.Errorf("announced to the SuperLink: %v", again)
	}
	with := func(seconds float64) []byte {
		b := bodyFor(beat, ownID, nil, 0)
		binary.LittleEndian.PutUint64(b[len(b)-8:], math.Float64bits(seconds))
		return b
	}
	for name, body := range map[string][]byte{
		"twice": double(good, 2), "an unknown field": varint(good, 3, 1), "none": good[:len(good)-9], "cut": good[:len(good)-1],
		"too short": with(9), "too long": with(1201), "no number": with(math.NaN()), "endless": with(math.Inf(1)), "negative": with(-30),
		"a whole number": varint(nil, 2, 30),
	} {
		if _, longer := announce(body); longer != nil {
			t.Errorf("%s: %x", name, longer)
		}
	}
}
