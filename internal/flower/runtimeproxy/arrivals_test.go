package runtimeproxy

import (
	"net/http"
	"testing"
	"time"

	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// slowRig is a rig whose proxy asks again after a minute only, so that it answers in time because of what it is told.
func slowRig(t *testing.T) *rig {
	r := &rig{link: newSuperlink(t), sink: &sink{}}
	o := options(r.sink, engineRunID, serve(t, r.link))
	o.PullMost = time.Minute
	r.proxy = New(o)
	r.app = newServerApp(t, serve(t, r.proxy))
	return r
}

// polled waits until the SuperLink was asked so often.
func (r *rig) polled(t *testing.T, name string, times int) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for r.link.count(name) < times {
		select {
		case <-deadline:
			t.Fatalf("%d calls of %s, want %d", r.link.count(name), name, times)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// exhaust waits until the proxy pauses for so long that only an arrival ends it: 50 ms double to more than six seconds.
func (r *rig) exhaust(t *testing.T, name string) int {
	t.Helper()
	r.polled(t, name, 6)
	return 6
}

func TestTheLastReplyEndsThePause(t *testing.T) {
	r := slowRig(t)
	replies := map[string]bool{}
	r.link.over["pull-messages"] = func(w http.ResponseWriter, _ *http.Request) {
		out := &flwrpb.PullAppMessagesResponse{}
		r.link.mu.Lock()
		for id := range replies {
			out.MessagesList = append(out.MessagesList, &flwrpb.Message{Metadata: &flwrpb.Metadata{MessageId: "reply to " + id, ReplyToMessageId: id}})
			out.MessageObjectTrees = append(out.MessageObjectTrees, &flwrpb.ObjectTree{ObjectId: "reply to " + id})
		}
		clear(replies)
		r.link.mu.Unlock()
		answer(w, out)
	}
	done := make(chan []*flwrpb.Message, 1)
	go func() {
		var out flwrpb.PullAppMessagesResponse
		if err := r.app.call("pull-messages", &flwrpb.PullAppMessagesRequest{MessageIds: []string{"a", "b"}}, &out); err != nil {
			t.Error(err)
		}
		done <- out.GetMessagesList()
	}()
	n := r.exhaust(t, "pull-messages")
	arrive := func(id string) {
		r.link.mu.Lock()
		replies[id] = true
		r.link.mu.Unlock()
		r.proxy.Arrived(id)
	}
	arrive("b")
	r.proxy.Arrived("of another batch")
	if got := r.link.count("pull-messages"); got != n {
		t.Errorf("the SuperLink was asked %d times while a reply was missing, want %d", got, n)
	}
	arrive("a")
	began := time.Now()
	if got := <-done; len(got) != 2 {
		t.Errorf("%d replies, want 2", len(got))
	}
	if took := time.Since(began); took > 2*time.Second { // the next poll was due after 3.2 s
		t.Errorf("the ServerApp waited for %s", took)
	}
	if complete, _ := r.proxy.arrivals.complete([]string{"a"}); complete {
		t.Error("a reply that was handed out is remembered")
	}
}

func TestAnArrivalEndsThePauseOfAnObject(t *testing.T) {
	r := slowRig(t)
	ready := false
	r.link.over["pull-object"] = func(w http.ResponseWriter, _ *http.Request) {
		r.link.mu.Lock()
		defer r.link.mu.Unlock()
		out := &flwrpb.PullObjectResponse{ObjectFound: true}
		if ready {
			out.ObjectAvailable, out.ObjectContent = true, []byte("content")
		}
		b, _ := proto.Marshal(out)
		_, _ = w.Write(b)
	}
	done := make(chan string, 1)
	go func() {
		var out flwrpb.PullObjectResponse
		if err := r.app.call("pull-object", &flwrpb.PullObjectRequest{ObjectId: "x"}, &out); err != nil {
			t.Error(err)
		}
		done <- string(out.GetObjectContent())
	}()
	r.exhaust(t, "pull-object")
	r.link.mu.Lock()
	ready = true
	r.link.mu.Unlock()
	began := time.Now()
	r.proxy.Arrived("asked")
	if got := <-done; got != "content" {
		t.Errorf("got %q", got)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("the ServerApp waited for %s", took)
	}
}

// Replies that nobody asks for do not fill the memory.
func TestArrivalsAreBounded(t *testing.T) {
	p := New(options(&sink{}, engineRunID, nil))
	p.arrivals.ids = make(map[string]bool, maxArrivals)
	for i := range maxArrivals {
		p.arrivals.ids[time.Duration(i).String()] = true
	}
	p.Arrived("new")
	if complete, _ := p.arrivals.complete([]string{"new"}); !complete || len(p.arrivals.ids) != 1 {
		t.Errorf("%d arrivals are remembered, the newest among them: %v", len(p.arrivals.ids), complete)
	}
}
