package fleet

import (
	"slices"
	"sync"
	"testing"
)

// A reply is reported when its last object has passed, once, and at once if the SuperLink waits for no object.
func TestACompleteReplyIsReported(t *testing.T) {
	var mu sync.Mutex
	var got []string
	f := newFixture(t, func(o *Options) {
		o.OnReply = func(r Reply) {
			mu.Lock()
			defer mu.Unlock()
			if r.FederationID != fedID || r.EngineRunID != 99 {
				t.Errorf("%+v", r)
			}
			got = append(got, r.MessageID)
		}
	})
	reported := func(when string, want ...string) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q were reported, want %q", when, got, want)
		}
	}
	node := bytesField(nil, 1, nodeMsg(ownID))
	call := func(path string, body, answer []byte) {
		t.Helper()
		f.says(answer)
		if status, text := f.do(f.request("/v1/fleet/"+path, body)); status != 200 {
			t.Fatalf("%s: %d %s", path, status, text)
		}
	}
	announce := func(asked string, objects ...string) {
		answer := []byte{}
		for _, id := range objects {
			answer = bytesField(answer, 3, []byte(id))
		}
		call("push-messages", append(slices.Clone(node), aMessage(ownID, "reply to "+asked, asked)...), bytesField(answer, 4, []byte("session")))
	}
	push := func(run uint64, id string) {
		call("push-object", bytesField(bytesField(varint(slices.Clone(node), 2, run), 3, []byte(id)), 4, []byte("content")), varint(nil, 1, 1))
	}
	announce("one", "a", "b", "c")
	push(99, "a")
	push(99, "c")
	push(98, "b")
	reported("before the last object of the run")
	f.fails()
	if status, _ := f.do(f.request("/v1/fleet/push-object", bytesField(bytesField(varint(slices.Clone(node), 2, 99), 3, []byte("b")), 4, []byte("x")))); status != 503 {
		t.Fatal(status)
	}
	reported("after the last object was not taken")
	push(99, "b")
	reported("after the last object", "one")
	push(99, "b")
	announce("two")
	reported("without objects", "one", "two")
	announce("three", "d")
	announce("three", "d", "e") // its first announcement got lost
	announce("four", "e")
	push(99, "e")
	push(99, "d")
	reported("two at once", "one", "two", "four", "three")
}
