package fleet

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const pull = "/v1/fleet/pull-messages"

// answers makes the fake SuperLink answer with a body per call; the last one is repeated.
func (f *fixture) answers(calls *atomic.Int64, bodies ...[]byte) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := calls.Add(1)
		_, _ = w.Write(bodies[min(int(n), len(bodies))-1])
	})
	f.up.answer.Store(&h)
}

// until polls a condition, and fails the test when it does not come true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			t.Fatal("it did not come to: " + what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (f *fixture) pullInBackground() (done chan string) {
	done = make(chan string, 1)
	r := f.request(pull, bodyFor(pull, ownID, nil, 0))
	go func() {
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			done <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		done <- res.Status + " " + string(b)
	}()
	return done
}

func TestAnEmptyPollIsHeldUntilSomethingCame(t *testing.T) {
	f := newFixture(t, nil)
	var calls atomic.Int64
	full := bytesField(nil, 2, message(ownID))
	f.answers(&calls, nil, nil, full)
	done := f.pullInBackground()
	until(t, "the first poll upstream", func() bool { return calls.Load() == 1 })
	f.g.Wake(fedID + 1) // another federation's
	select {
	case got := <-done:
		t.Fatalf("an empty poll was answered with %q", got)
	case <-time.After(50 * time.Millisecond):
	}
	f.g.Wake(fedID)
	until(t, "a second poll upstream", func() bool { return calls.Load() == 2 })
	f.g.Wake(fedID)
	if got := <-done; got != "200 OK "+string(full) {
		t.Errorf("got %q, want the message", got)
	}
	if n := calls.Load(); n != 3 {
		t.Errorf("%d polls went upstream, want 3", n)
	}
}

func TestAnEmptyPollIsAnsweredInTheEnd(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Hold = 50 * time.Millisecond })
	var calls atomic.Int64
	f.answers(&calls, nil)
	if got := <-f.pullInBackground(); got != "200 OK " {
		t.Errorf("got %q, want an empty answer", got)
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("%d polls went upstream, want 1", n)
	}
}

// A wake that comes while a poll is on its way upstream is not missed.
func TestAWakeDuringAPollCounts(t *testing.T) {
	f := newFixture(t, nil)
	full := bytesField(nil, 2, message(ownID))
	var once sync.Once
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		first := false
		once.Do(func() { first = true })
		if first {
			f.g.Wake(fedID)
			return // empty: what the wake told of came a moment later
		}
		_, _ = w.Write(full)
	})
	f.up.answer.Store(&h)
	if got := <-f.pullInBackground(); got != "200 OK "+string(full) {
		t.Errorf("got %q, want the message", got)
	}
}

func TestAHeldPollIsCutByARevocation(t *testing.T) {
	f := newFixture(t, nil)
	var calls atomic.Int64
	f.answers(&calls, nil)
	done := f.pullInBackground()
	until(t, "a poll upstream", func() bool { return calls.Load() == 1 })
	f.g.Cut(fingerprint(t, f.key))
	if got := <-done; !bytes.HasPrefix([]byte(got), []byte("401")) {
		t.Errorf("got %q, want 401", got)
	}
}

func TestAnObjectThatIsStillToComeIsWaitedFor(t *testing.T) {
	f := newFixture(t, nil)
	var calls atomic.Int64
	found := varint(nil, 1, 1)
	there := bytesField(varint(found, 2, 1), 3, []byte("content"))
	f.answers(&calls, found, found, there)
	const path = "/v1/fleet/pull-object"
	if status, got := f.do(f.request(path, bodyFor(path, ownID, nil, 0))); status != 200 || got != string(there) {
		t.Errorf("got %d %q, want the object", status, got)
	}
	if n := calls.Load(); n != 3 {
		t.Errorf("%d questions went upstream, want 3", n)
	}
}

// A SuperLink that was killed after it stored an object says "not stored" when the SuperNode sends it again.
func TestAnObjectThatIsThereCountsAsStored(t *testing.T) {
	const push = "/v1/fleet/push-object"
	stored := string(varint(nil, 1, 1))
	for _, c := range []struct {
		what string
		pull []byte
		want string
	}{
		{"it is there", bytesField(varint(varint(nil, 1, 1), 2, 1), 3, []byte("content")), stored},
		{"it is to come", varint(nil, 1, 1), ""},
		{"it is unknown", nil, ""},
	} {
		for _, size := range []int{100, 200 << 10} {
			f := newFixture(t, nil)
			var asked atomic.Value
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v1/fleet/pull-object" {
					asked.Store(r.ContentLength)
					_, _ = w.Write(c.pull)
				}
			})
			f.up.answer.Store(&h)
			if status, got := f.do(f.request(push, bodyFor(push, ownID, nil, size))); status != 200 || got != c.want {
				t.Errorf("%s, %d bytes: got %d %q, want %q", c.what, size, status, got, c.want)
			}
			if asked.Load() == nil {
				t.Errorf("%s, %d bytes: the SuperLink was not asked", c.what, size)
			}
		}
	}
}

// The time of an answer is this server's, at the moment of answering: agents set their clocks by it, and a poll may have been held.
func TestAnAnswerHasTheTimeOfThisServer(t *testing.T) {
	f := newFixture(t, nil)
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		_, _ = w.Write(bytesField(nil, 2, message(ownID)))
	})
	f.up.answer.Store(&h)
	res, err := http.DefaultClient.Do(f.request(pull, bodyFor(pull, ownID, nil, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	at, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil || time.Since(at) > time.Minute || len(res.Header.Values("Date")) != 1 {
		t.Errorf("the answer is of %v: %v", res.Header.Values("Date"), err)
	}
}
