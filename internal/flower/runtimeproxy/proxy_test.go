package runtimeproxy

import (
	"bytes"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire/flwrpb"
)

// Of what a ServerApp sends only calls of the Runtime API that are its own go upstream.
func TestOnlyTheRuntimeAPIPasses(t *testing.T) {
	r := newRig(t, nil)
	front := serve(t, r.proxy)
	for _, c := range []struct{ method, path string }{
		{"POST", "/v1/control/start-run"}, {"POST", "/v1/fleet/pull-messages"}, {"POST", "/health"}, {"POST", "/"}, {"GET", "/v1/runtime/pull-task-input"},
		{"POST", "/v1/runtime/acquire-task"}, {"POST", "/v1/runtime/create-task"}, {"POST", "/v1/runtime/start-automation"},
		{"POST", "/v1/runtime/../control/start-run"}, {"POST", "/v1/runtime/a/b"}, {"POST", "/v1/runtime/pull-task-input?x=1"}, {"POST", "/v1/runtime/%2e%2e/control"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, front.String()+c.path, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusNotFound {
			t.Errorf("%s %s gets %d, want 404", c.method, c.path, res.StatusCode)
		}
	}
	if seen := r.link.seen(); len(seen) > 0 {
		t.Errorf("these went upstream: %v", seen)
	}
	if status, _, err := r.app.try("pull-task-input", nil); err != nil || status != http.StatusOK || r.link.count("pull-task-input") != 1 {
		t.Errorf("a call of its own: %d, %v", status, err)
	}
}

// A reply's metrics are stored before the ServerApp is told that its receipt is confirmed.
func TestMetricsAreStoredBeforeTheAnswer(t *testing.T) {
	steps := runOf(t, "new")
	r := newRig(t, steps)
	var inside, confirmed atomic.Int64
	r.sink.entered = func(o domain.Observation) {
		if n := int64(r.link.count("confirm-message-received")); n > inside.Load() {
			t.Errorf("%d confirmations went upstream when %d replies were stored", n, inside.Load())
		}
		for _, e := range o.Exchanges {
			if !e.RepliedAt.IsZero() {
				inside.Add(1)
			}
		}
	}
	r.link.reached = func(name string) {
		if name == "confirm-message-received" {
			confirmed.Add(1)
		}
	}
	if err := r.app.run(steps); err != nil {
		t.Fatal(err)
	}
	if inside.Load() == 0 || confirmed.Load() != inside.Load() {
		t.Errorf("%d replies were stored, %d confirmed", inside.Load(), confirmed.Load())
	}
	if len(r.sink.metrics()) == 0 || len(r.sink.exchanges()) == 0 {
		t.Errorf("%d metrics and %d exchanges are stored", len(r.sink.metrics()), len(r.sink.exchanges()))
	}
}

// A SuperNode is asked from when its message goes to the SuperLink: it may have taken it before the answer is back.
func TestAskedIsBeforeTaken(t *testing.T) {
	steps := runOf(t, "new")
	r := newRig(t, steps)
	var taken atomic.Pointer[time.Time]
	r.link.reached = func(name string) {
		if now := time.Now(); name == "push-messages" {
			taken.Store(&now)
		}
	}
	asked := 0
	r.sink.entered = func(o domain.Observation) {
		for _, e := range o.Exchanges {
			if e.RepliedAt.IsZero() && e.Round > 0 {
				if asked++; e.AskedAt.After(*taken.Load()) {
					t.Errorf("asked at %s, taken at %s", e.AskedAt, taken.Load())
				}
			}
		}
	}
	if err := r.app.run(steps); err != nil {
		t.Fatal(err)
	}
	if asked == 0 {
		t.Error("nobody was asked")
	}
}

// While nothing can be stored the ServerApp is told to try again, and nothing gets past; then all is there.
func TestAStoreThatIsAwayHoldsTheRunUp(t *testing.T) {
	steps := runOf(t, "new")
	r := newRig(t, steps)
	r.sink.fail(-1)
	held := false
	r.app.before = func(_, try int) {
		if try > 0 && !held {
			held = true
			r.sink.fail(0)
		}
	}
	if err := r.app.run(steps); err != nil {
		t.Fatal(err)
	}
	if !held {
		t.Error("no call was held up")
	}
	want := 0
	for _, st := range steps {
		want += len(st.Metrics)
	}
	if got := len(r.sink.metrics()); got < want {
		t.Errorf("%d metrics are stored, the ServerApp read %d", got, want)
	}
}

// A SuperLink that was killed after it stored an object says "not stored" when the ServerApp sends it again.
func TestAnObjectThatIsThereCountsAsStored(t *testing.T) {
	for _, there := range []bool{true, false} {
		r := newRig(t, nil)
		r.link.over["push-object"] = func(http.ResponseWriter, *http.Request) {} // an empty answer: not stored
		id, content := objectOf("Array", bytes.Repeat([]byte{7}, 300<<10))
		if there {
			r.link.objects[id] = content
		}
		var out flwrpb.StopRunResponse // of the same form as flwr's PushObjectResponse
		if err := r.app.call("push-object", &flwrpb.PushObjectRequest{Node: &flwrpb.Node{NodeId: 1}, RunId: 2, ObjectId: id, ObjectContent: content}, &out); err != nil {
			t.Fatal(err)
		}
		if out.GetSuccess() != there {
			t.Errorf("the SuperLink has it: %v; the ServerApp hears stored: %v", there, out.GetSuccess())
		}
	}
}
