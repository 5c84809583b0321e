package superlink_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"blossomtune/internal/flower/superlink"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

func limitedRig(t *testing.T, limits superlink.Options) *rig {
	r := newRig(t, "sqlite:"+filepath.Join(t.TempDir(), "link.db"))
	r.limits = limits
	r.restart()
	return r
}

// atEnd calls f when all of a body has been read and its end has not.
type atEnd struct {
	io.Reader
	f func()
}

func (r *atEnd) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n == 0 && r.f != nil {
		r.f()
		r.f = nil
	}
	return n, err
}

// calling makes a call and calls f just before its end.
func (a *app) calling(name string, in proto.Message, f func()) *httptest.ResponseRecorder {
	a.r.t.Helper()
	body, err := proto.Marshal(in)
	if err != nil {
		a.r.t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, "/v1/runtime/"+name, &atEnd{Reader: bytes.NewReader(body), f: f})
	req.Header.Set(wire.HeaderTaskToken, a.token)
	w := httptest.NewRecorder()
	a.r.link.RuntimeHandler(a.seen).ServeHTTP(w, req)
	return w
}

// pushing sends an object and calls f just before the end of the call.
func (a *app) pushing(id string, content []byte, f func()) (stored bool, status int) {
	a.r.t.Helper()
	w := a.calling("push-object", &flwrpb.PushObjectRequest{Node: &flwrpb.Node{NodeId: superlink.ServerID}, RunId: a.run, ObjectId: id,
		ObjectContent: content}, f)
	var out flwrpb.PushObjectResponse
	if err := proto.Unmarshal(w.Body.Bytes(), &out); w.Code == http.StatusOK && err != nil {
		a.r.t.Fatal(err)
	}
	return out.GetStored(), w.Code
}

func (r *rig) files() int {
	r.t.Helper()
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	return len(entries)
}

// A large object that no message lists never touches the disk.
func TestAnObjectThatNothingNeedsIsNotWritten(t *testing.T) {
	r := limitedRig(t, superlink.Options{})
	a := r.app("one")
	content := bytes.Repeat([]byte("x"), 1<<20)
	read := false
	stored, status := a.pushing(wire.ObjectID(content), content, func() {
		read = true
		if n := r.files(); n != 0 {
			t.Errorf("%d files while it is received", n)
		}
	})
	if stored || status != http.StatusOK || r.files() != 0 || !read {
		t.Errorf("stored %v, status %d, %d files, read %v", stored, status, r.files(), read)
	}
}

// Objects count for the limit of their run while they are received, and no longer than they are needed.
func TestObjectsUnderWayCount(t *testing.T) {
	r := limitedRig(t, superlink.Options{MostBytes: 1 << 20})
	node := r.node("one")
	a := r.app("one")
	first, second := bytes.Repeat([]byte("1"), 600<<10), bytes.Repeat([]byte("2"), 600<<10)
	p := pack(r.metadata(a.run, superlink.ServerID, node, ""), first, second)
	r.must(a.call("push-messages", &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{p.message},
		MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}}, nil))
	send := func(content []byte, f func()) (bool, int) { return a.pushing(wire.ObjectID(content), content, f) }
	refused := 0
	if stored, _ := send(first, func() {
		if r.files() != 1 {
			t.Errorf("%d files while it is received, want 1", r.files())
		}
		_, refused = a.pushing(wire.ObjectID(second), second, func() { t.Error("read although there is no room") })
	}); !stored || refused != http.StatusInsufficientStorage {
		t.Errorf("the first: stored %v; the second: status %d", stored, refused)
	}
	if stored, _ := send(first, func() {
		if r.files() != 1 {
			t.Errorf("%d files when it is sent again, want 1", r.files())
		}
	}); !stored {
		t.Error("the first is not stored any more")
	}
	if err := r.link.Stop(a.run); err != nil {
		t.Fatal(err)
	}
	r.eventually("the files are gone", func() bool { return r.files() == 0 })
}

// The objects of one SuperNode's replies are limited, also while they are received and after a restart, until the ServerApp has them. What
// the ServerApp or others sent does not count.
func TestObjectsOfANodeAreLimited(t *testing.T) {
	r := limitedRig(t, superlink.Options{MostNodeBytes: 1 << 20})
	node, other := r.node("one"), r.node("two")
	a := r.app("one")
	large := func(b byte) []byte { return bytes.Repeat([]byte{b}, 600<<10) }
	reply := func(node uint64, contents ...[]byte) parcel {
		a.ask(node, large('a'), large('b'))
		m := r.pull(node)
		r.confirm(node, m)
		p := pack(r.metadata(a.run, node, superlink.ServerID, m.GetMetadata().GetMessageId()), contents...)
		if len(r.announce(node, p)) == 0 {
			t.Fatal("the reply was not taken")
		}
		return p
	}
	small := bytes.Repeat([]byte("s"), 50<<10)
	reply(node, large('1'), large('2'), small)
	send := func(node uint64, content []byte) int {
		_, status := r.send(node, a.run, wire.ObjectID(content), content)
		return status
	}
	if status := send(node, large('1')); status != http.StatusOK {
		t.Fatalf("the first object: HTTP %d", status)
	}
	for _, restart := range []bool{false, true} {
		if restart {
			r.restart()
		}
		if status := send(node, large('2')); status != http.StatusInsufficientStorage {
			t.Errorf("restarted %v: an object for which there is no room: HTTP %d", restart, status)
		}
		if status := send(node, small); status != http.StatusOK {
			t.Errorf("restarted %v: a small object: HTTP %d", restart, status)
		}
	}
	q := reply(other, large('3'))
	for _, content := range [][]byte{large('3'), q.objects[q.id()]} {
		if status := send(other, content); status != http.StatusOK {
			t.Errorf("an object of another SuperNode: HTTP %d", status)
		}
	}
	if err := r.link.Stop(a.run); err != nil { // which drops what its SuperNodes sent
		t.Fatal(err)
	}
	a = r.app("two")
	p := reply(node, large('2'))
	for _, content := range [][]byte{large('2'), p.objects[p.id()]} {
		if status := send(node, content); status != http.StatusOK {
			t.Errorf("an object when there is room again: HTTP %d", status)
		}
	}
}

// A ServerApp that sends messages without end, or asks for messages that do not exist, is refused; what it has gets on.
func TestMessagesOfARunAreLimited(t *testing.T) {
	r := limitedRig(t, superlink.Options{MostPending: 64 << 10})
	node := r.node("one")
	a := r.app("one")
	var sent []parcel
	status := http.StatusOK
	for i := 0; status == http.StatusOK && i < 1000; i++ {
		p := pack(r.metadata(a.run, superlink.ServerID, node, ""), []byte(strconv.Itoa(i)))
		status = a.call("push-messages", &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{p.message},
			MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}}, nil)
		if status == http.StatusOK {
			sent = append(sent, p)
			for id, content := range p.objects {
				a.push(id, content)
			}
		}
	}
	if status != http.StatusInsufficientStorage || len(sent) < 20 || len(sent) > 64 {
		t.Fatalf("status %d after %d messages", status, len(sent))
	}
	asked := &flwrpb.PullAppMessagesRequest{}
	for i := range 100 {
		asked.MessageIds = append(asked.MessageIds, wire.ObjectID([]byte{byte(i)}))
	}
	if status := a.call("pull-messages", asked, nil); status != http.StatusInsufficientStorage {
		t.Errorf("status %d for messages that do not exist", status)
	}
	r.restart()
	if p := pack(r.metadata(a.run, superlink.ServerID, node, ""), []byte("x")); a.call("push-messages", &flwrpb.PushAppMessagesRequest{
		MessagesList: []*flwrpb.Message{p.message}, MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}}, nil) != http.StatusInsufficientStorage {
		t.Error("the limit is not in force after a restart")
	}
	m := r.pull(node)
	reply := pack(r.metadata(a.run, node, superlink.ServerID, m.GetMetadata().GetMessageId()), bytes.Repeat([]byte("y"), 10))
	reply.message.Metadata.GroupId = string(bytes.Repeat([]byte("z"), 8<<10)) // not part of what its name covers
	if missing := r.announce(node, reply); len(missing) != 0 {
		t.Fatalf("a reply for which there is no room wants %d objects", len(missing))
	}
	answers := a.replies(sent...)
	if len(answers) != 1 || answers[0].GetMetadata().GetReplyToMessageId() != m.GetMetadata().GetMessageId() {
		t.Fatalf("%d answers", len(answers))
	}
	for _, p := range sent {
		a.confirm(p.id()) // Flower confirms replies alone; this changes nothing
	}
	a.confirm(answers[0].GetMetadata().GetMessageId())
	if p := pack(r.metadata(a.run, superlink.ServerID, node, ""), []byte("again")); a.call("push-messages", &flwrpb.PushAppMessagesRequest{
		MessagesList: []*flwrpb.Message{p.message}, MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}}, nil) != http.StatusOK {
		t.Error("a message is refused although one has been received")
	}
}
