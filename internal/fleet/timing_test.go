package fleet

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

// timingStore keeps what the gateway saw of each message.
type timingStore struct {
	mu    sync.Mutex
	all   map[string]domain.Timing
	fails bool
	calls int
}

func (s *timingStore) SaveTimings(_ context.Context, ts []domain.Timing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.fails {
		return errors.New("the disk is full")
	}
	for _, t := range ts {
		s.all[t.MessageID] = t
	}
	return nil
}

// says lets the SuperLink answer every call with the same bytes.
func (f *fixture) says(b []byte) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) })
	f.up.answer.Store(&h)
}

// aMessage is a message in a list, as PullMessagesResponse and PushMessagesRequest have it.
func aMessage(src uint64, id, replyTo string) []byte {
	meta := varint(bytesField(varint(nil, 1, 99), 2, []byte(id)), 3, src)
	meta = bytesField(varint(meta, 4, 1), 5, []byte(replyTo))
	return bytesField(nil, 2, bytesField(nil, 1, meta))
}

// The way of one message, call by call, with a second between each: what is kept is when each part of it began and ended.
func TestAMessageIsTimedOnItsWay(t *testing.T) {
	kept := &timingStore{all: map[string]domain.Timing{}}
	f := newFixture(t, func(o *Options) { o.Timings = kept })
	second := int64(0)
	up, down := int64(0), int64(0)
	step := func(path string, body, answer []byte) time.Time {
		t.Helper()
		second++
		f.now.Store(second * int64(time.Second))
		f.says(answer)
		if status, text := f.do(f.request("/v1/fleet/"+path, body)); status != 200 {
			t.Fatalf("%s: %d %s", path, status, text)
		}
		up, down = up+int64(len(body)), down+int64(len(answer))
		return f.g.o.Clock()
	}
	object := func(id string) []byte {
		return bytesField(varint(bytesField(nil, 1, nodeMsg(ownID)), 2, 99), 3, []byte(id))
	}
	node := bytesField(nil, 1, nodeMsg(ownID))
	list := append(aMessage(1, "asked", ""), bytesField(nil, 3, []byte(strings.Repeat("tree", 5000)))...) // longer than is looked at
	took := step("pull-messages", node, list)
	step("get-run", varint(node, 2, 99), []byte("x"))
	step("get-fab", varint(bytesField(node, 2, []byte("hash")), 3, 99), []byte("fab"))
	got := step("pull-object", object("a"), []byte("content"))
	step("pull-object", object("b"), []byte("content"))
	have := step("confirm-message-received", object("asked"), nil)
	step("confirm-message-received", object("asked"), nil) // its answer got lost
	put := step("push-messages", append(bytesField(nil, 1, nodeMsg(ownID)), aMessage(ownID, "reply", "asked")...), nil)
	step("push-object", bytesField(object("c"), 4, []byte("one")), []byte{1 << 3, 1})
	sent := step("push-object", bytesField(object("d"), 4, []byte("two")), []byte{1 << 3, 1})
	step("send-node-heartbeat", bodyFor("/v1/fleet/send-node-heartbeat", ownID, nil, 0), nil)
	up -= int64(len(bodyFor("/v1/fleet/send-node-heartbeat", ownID, nil, 0)))

	eventually(t, func() bool { // a call is noted after its answer is out
		f.g.timings.mu.Lock()
		defer f.g.timings.mu.Unlock()
		p := f.g.timings.pending[messageKey{fedID, 99, "asked"}]
		return p != nil && p.Up == up && p.Down == down
	})
	kept.fails = true
	if f.g.flushTimings(t.Context()) == nil {
		t.Fatal("a failed flush must be told")
	}
	kept.fails = false
	if err := f.g.flushTimings(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := kept.all["asked"]
	for what, at := range map[string][2]time.Time{"taken": {m.TakenAt, took}, "first object": {m.GetAt, got}, "confirmed": {m.GotAt, have}, "reply": {m.PutAt, put}, "last object": {m.SentAt, sent}} {
		if d := at[1].Sub(at[0]); d < 0 || d > time.Second/2 {
			t.Errorf("%s at %s, want about %s", what, at[0], at[1])
		}
	}
	if m.FederationID != fedID || m.EngineRunID != 99 || m.NodeID != ownID || m.Up != up || m.Down != down {
		t.Errorf("%+v, want %d bytes up and %d down", m, up, down)
	}
	calls := kept.calls
	if err := f.g.flushTimings(t.Context()); err != nil || kept.calls != calls {
		t.Errorf("what is stored is stored again: %v", err)
	}
}

// Calls that are about a run count for that run, also when the SuperNode has got a message of another one meanwhile.
func TestRunsThatTakeTurnsAreCountedApart(t *testing.T) {
	kept := &timingStore{all: map[string]domain.Timing{}}
	f := newFixture(t, func(o *Options) { o.Timings = kept })
	node := bytesField(nil, 1, nodeMsg(ownID))
	up := map[string]int64{}
	step := func(id, path string, body, answer []byte) {
		t.Helper()
		f.says(answer)
		if status, text := f.do(f.request("/v1/fleet/"+path, body)); status != 200 {
			t.Fatalf("%s: %d %s", path, status, text)
		}
		up[id] += int64(len(body))
		eventually(t, func() bool { // a call is noted after its answer is out
			f.g.timings.mu.Lock()
			defer f.g.timings.mu.Unlock()
			var sum, all int64
			for _, p := range f.g.timings.pending {
				sum += p.Up
			}
			for _, n := range up {
				all += n
			}
			return sum == all
		})
	}
	message := func(run uint64, id string) []byte {
		return bytesField(nil, 2, bytesField(nil, 1, bytesField(varint(nil, 1, run), 2, []byte(id))))
	}
	reply := func(run uint64, id string) []byte {
		meta := bytesField(varint(varint(nil, 1, run), 3, ownID), 5, []byte(id))
		return append(slices.Clone(node), bytesField(nil, 2, bytesField(nil, 1, bytesField(meta, 2, []byte("reply"))))...)
	}
	object := func(run uint64) []byte { return bytesField(varint(node, 2, run), 3, []byte("object")) }
	step("one", "pull-messages", node, message(1, "one"))
	step("two", "pull-messages", node, message(2, "two"))
	step("one", "get-run", varint(node, 2, 1), nil)
	step("one", "get-fab", varint(bytesField(node, 2, []byte("a hash")), 3, 1), nil)
	step("two", "get-run", varint(node, 2, 2), nil)
	step("one", "pull-object", object(1), nil)
	step("two", "pull-object", object(2), nil)
	step("one", "push-messages", reply(1, "one"), nil)
	step("two", "push-messages", reply(2, "two"), nil)
	step("one", "push-object", object(1), nil)
	if err := f.g.flushTimings(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, want := range up {
		if got := kept.all[id].Up; got != want {
			t.Errorf("%s: %d bytes, want %d", id, got, want)
		}
	}
}

// A refused call and one that the SuperLink refused tell nothing, and what a stranger sends is not even read.
func TestOnlyWhatWentWellIsTimed(t *testing.T) {
	kept := &timingStore{all: map[string]domain.Timing{}}
	f := newFixture(t, func(o *Options) { o.Timings = kept })
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	f.up.answer.Store(&h)
	body := append(bytesField(nil, 1, nodeMsg(ownID)), aMessage(ownID, "reply", "asked")...)
	f.do(f.request("/v1/fleet/push-messages", body))
	f.do(f.signed(newKey(t), time.Now(), "/v1/fleet/push-messages", body))
	if err := f.g.flushTimings(t.Context()); err != nil || len(kept.all) != 0 {
		t.Errorf("%v, %v", kept.all, err)
	}
}

// What is looked at may be cut off anywhere, or be nothing of ours.
func FuzzFirstMessage(f *testing.F) {
	whole := aMessage(1, "asked", "reply")
	for n := range whole {
		f.Add(whole[:n])
	}
	f.Add([]byte{2<<3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(_ *testing.T, b []byte) {
		firstMessage(b)
		runAndObject(b)
	})
}
