package fleet

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

// ward is a fixture that watches for stuck SuperNodes.
type ward struct {
	*fixture
	t      *testing.T
	mu     sync.Mutex
	active map[uint64]bool
	asked  int
	err    error
	told   []domain.Stuck
}

func newWard(t *testing.T) *ward {
	w := &ward{t: t, active: map[uint64]bool{}}
	w.fixture = newFixture(t, func(o *Options) {
		o.Hold = time.Millisecond
		o.ActiveRuns = func(_ context.Context, fed int64) (map[uint64]bool, error) {
			w.asked++
			if fed != fedID {
				t.Errorf("asked for federation %d", fed)
			}
			return w.active, w.err
		}
		o.OnStuck = func(s Seen) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.told = append(w.told, s.Seen.Stuck)
			if s.Key.NodeID != ownID || s.Key.Seen.Stuck != s.Seen.Stuck {
				t.Errorf("%+v", s)
			}
		}
	})
	return w
}

func (w *ward) pass(d time.Duration) { w.now.Add(int64(d)) }

// call makes a good call; the SuperLink answers it with the bytes.
func (w *ward) call(path string, body, answer []byte) {
	w.t.Helper()
	w.says(answer)
	if status, text := w.do(w.later("/v1/fleet/"+path, body)); status != 200 {
		w.t.Fatalf("%s: %d %s", path, status, text)
	}
	n := w.g.find(fingerprint(w.t, w.key))
	eventually(w.t, func() bool { n.mu.Lock(); defer n.mu.Unlock(); return len(n.calls) == 0 })
}

func (w *ward) heartbeat() {
	w.call("send-node-heartbeat", bodyFor("/v1/fleet/send-node-heartbeat", ownID, nil, 0), nil)
}
func (w *ward) poll() { w.call("pull-messages", bytesField(nil, 1, nodeMsg(ownID)), nil) }
func (w *ward) take(id string) {
	w.call("pull-messages", bytesField(nil, 1, nodeMsg(ownID)), aMessage(1, id, "")) // of run 99
}
func (w *ward) reply(to string) {
	w.call("push-messages", append(bytesField(nil, 1, nodeMsg(ownID)), aMessage(ownID, "reply to "+to, to)...), nil)
}

// lives lets time pass with heartbeats, and the gateway look as it does every few seconds.
func (w *ward) lives(d time.Duration) {
	w.t.Helper()
	for range d / (10 * time.Second) {
		w.pass(10 * time.Second)
		w.heartbeat()
		if err := w.g.findStuck(w.t.Context()); err != nil && w.err == nil {
			w.t.Fatal(err)
		}
	}
}

func (w *ward) isStuck(when string, want ...domain.Stuck) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.told, want) {
		w.t.Errorf("%s: reported %q, want %q", when, w.told, want)
	}
	w.told = nil
}

// A SuperNode that took a message, whose run is over, and that does not ask for another one waits without end.
func TestASuperNodeThatWaitsForAnEndedRunIsStuck(t *testing.T) {
	w := newWard(t)
	w.active[99] = true
	w.take("one")
	w.lives(10 * time.Minute)
	w.isStuck("while the run needs its work")
	delete(w.active, 99)
	w.active[98] = true // another run, which asked it too
	w.lives(stuckAfter)
	w.isStuck("right after the run's end")
	w.lives(20 * time.Second)
	w.isStuck("some time after the run's end", domain.StuckWaiting)
	w.lives(time.Minute)
	w.isStuck("later")
	if err := w.g.Flush(t.Context()); err != nil || w.store.seen[fingerprint(t, w.key)].Stuck != domain.StuckWaiting {
		t.Errorf("%v, kept: %+v", err, w.store.seen)
	}
	w.poll()
	w.isStuck("asks for messages again", "")
	w.lives(0)
	if err := w.g.Flush(t.Context()); err != nil || w.store.seen[fingerprint(t, w.key)].Stuck != "" {
		t.Errorf("%v, kept: %+v", err, w.store.seen)
	}
}

func TestASuperNodeThatAsksForMessagesIsNotStuck(t *testing.T) {
	w := newWard(t)
	for range 10 {
		w.poll()
		w.lives(20 * time.Second) // it may pause for as long after an error
	}
	w.isStuck("it asks")
	asked := w.asked
	w.poll()
	w.lives(20 * time.Second)
	if w.asked != asked {
		t.Error("the runs were read for a SuperNode that asks")
	}
	w.call("push-object", bodyFor("/v1/fleet/push-object", ownID, nil, 10), nil)
	w.lives(20 * time.Second)
	w.isStuck("it sends a large reply")
	held := make(chan struct{})
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == pull {
			<-held
		}
	})
	w.up.answer.Store(&h)
	done := w.pullInBackground()
	n := w.g.find(fingerprint(t, w.key))
	eventually(t, func() bool { n.mu.Lock(); defer n.mu.Unlock(); return n.work.polls == 1 })
	w.pass(10 * time.Minute)
	n.mu.Lock()
	if n.silent(w.g.o.Clock(), w.g.started) {
		t.Error("a SuperNode whose poll is held counts as silent")
	}
	n.mu.Unlock()
	close(held)
	<-done
}

// While the SuperLink is down, or the SuperNode suspended, nothing is said about it.
func TestASuperNodeThatIsRefusedIsNotStuck(t *testing.T) {
	w := newWard(t)
	w.poll()
	w.down.Store(true)
	for range 10 {
		w.pass(20 * time.Second)
		if status, _ := w.do(w.later(pull, bodyFor(pull, ownID, nil, 0))); status != 503 {
			t.Fatal(status)
		}
		if err := w.g.findStuck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.isStuck("the SuperLink is down")
	w.down.Store(false)
	w.err = errors.New("the database is away")
	w.lives(5 * time.Minute)
	w.isStuck("the runs cannot be read")
	w.err = nil
	w.lives(time.Minute)
	w.isStuck("they can", domain.StuckWaiting)
}

// After a restart of this server it is not known which message a SuperNode has. It is stuck if no run can need it.
func TestAStuckSuperNodeIsFoundAfterARestart(t *testing.T) {
	w := newWard(t)
	w.active[5] = true
	w.heartbeat()
	w.lives(5 * time.Minute)
	w.isStuck("a run is on")
	clear(w.active)
	w.lives(stuckAfter + 20*time.Second)
	w.isStuck("no run is on", domain.StuckWaiting)
	w.call("activate-node", bodyFor("/v1/fleet/activate-node", ownID, publicPEM(t, w.key), 0), nil)
	w.isStuck("it was restarted", "")
	w.lives(20 * time.Second)
	w.isStuck("before its first poll")
	w.lives(10 * time.Minute)
	w.isStuck("it has taken no message, although it does not ask for any")
}

// After it took message k, a SuperNode that is one late sends the reply to message k-1.
func TestASuperNodeThatRepliesLateIsStuck(t *testing.T) {
	w := newWard(t)
	w.active[99] = true
	w.reply("zero") // taken before this server was started
	for _, id := range []string{"one", "two"} {
		w.take(id)
		w.reply(id)
		w.reply(id) // the answer got lost
	}
	w.isStuck("it answers what it took")
	w.take("three") // its ClientApp runs until the run has ended; the reply is refused and stays
	w.poll()
	w.take("four")
	w.reply("three")
	w.isStuck("it answers what it took before", domain.StuckLate)
	w.poll()
	w.lives(5 * time.Minute)
	w.take("five")
	w.reply("four")
	w.isStuck("it does so again")
	w.call("activate-node", bodyFor("/v1/fleet/activate-node", ownID, publicPEM(t, w.key), 0), nil)
	w.isStuck("it was restarted", "")
	w.take("six")
	w.reply("five") // could only be of the process before
	w.isStuck("late again", domain.StuckLate)
	w.take("seven")
	w.reply("seven")
	w.isStuck("it answers in time", "")
}

// An agent may work on several messages at once.
func TestAnAgentMayReplyInAnyOrder(t *testing.T) {
	w := newWard(t)
	k := enrolled(t, w.key, ownID)
	k.Via = "agent"
	w.keys.set(k)
	w.active[99] = true
	w.take("one")
	w.take("two")
	w.reply("one")
	w.reply("two")
	w.isStuck("an agent replies")
	delete(w.active, 99)
	w.active[98] = true
	w.lives(5 * time.Minute)
	w.isStuck("an agent works for another run, perhaps")
}
