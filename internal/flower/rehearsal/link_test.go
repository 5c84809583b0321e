package rehearsal

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// both plays a ServerApp and a SuperNode.
type both struct {
	t *testing.T
	l *Link
}

func newBoth(t *testing.T, o Options) both {
	t.Helper()
	o.FAB, o.Dir = []byte("fab"), t.TempDir()
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return both{t, l}
}

func (b both) status(ctx context.Context, token, path string, in, out proto.Message) int {
	b.t.Helper()
	body, err := proto.Marshal(in)
	if err != nil {
		b.t.Fatal(err)
	}
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/runtime/"+path, bytes.NewReader(body))
	req.Header.Set(wire.HeaderTaskToken, token)
	w := httptest.NewRecorder()
	b.l.ServeHTTP(w, req)
	if w.Code == http.StatusOK {
		if err := proto.Unmarshal(w.Body.Bytes(), out); err != nil {
			b.t.Fatal(err)
		}
	}
	return w.Code
}

func (b both) serverApp(path string, in, out proto.Message) {
	b.t.Helper()
	if got := b.status(b.t.Context(), b.l.Token(), path, in, out); got != http.StatusOK {
		b.t.Fatalf("%s: status %d", path, got)
	}
}

func (b both) superNode(path string, in, out proto.Message) {
	b.t.Helper()
	body, err := proto.Marshal(in)
	if err != nil {
		b.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, "https://rehearsal/v1/fleet/"+path, bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := b.l.RoundTrip(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := readBody(res.Body)
	if err == nil && res.StatusCode == http.StatusOK {
		err = proto.Unmarshal(text, out)
	}
	if err != nil || res.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: status %d, %v: %s", path, res.StatusCode, err, text)
	}
}

// look has the ServerApp look until it sees n SuperNodes.
func (b both) look(n int) (ids []uint64) {
	b.t.Helper()
	for range 10 {
		var out flwrpb.GetNodesResponse
		b.serverApp("get-nodes", &flwrpb.GetNodesResponse{}, &out)
		ids = nil
		for _, node := range out.GetNodes() {
			ids = append(ids, node.GetNodeId())
		}
		if len(ids) >= n {
			return ids
		}
	}
	b.t.Fatalf("it saw %d SuperNodes, wanted %d", len(ids), n)
	return nil
}

// message makes a message with one child and its objects.
func message(meta *flwrpb.Metadata, content string) (*flwrpb.Message, *flwrpb.ObjectTree, map[string][]byte) {
	child := []byte("RecordDict  0\x00" + content)
	tree := &flwrpb.ObjectTree{Children: []*flwrpb.ObjectTree{{ObjectId: wire.ObjectID(child)}}}
	m, made, root, err := remake(&flwrpb.Message{Metadata: meta, Content: &flwrpb.RecordDict{}}, tree, func(*flwrpb.Metadata) {})
	if err != nil {
		panic(err)
	}
	return m, made, map[string][]byte{wire.ObjectID(child): child, made.GetObjectId(): root}
}

// ask sends one message of a type to each node, and returns their names.
func (b both) ask(kind string, nodes ...uint64) []string {
	b.t.Helper()
	in, objects := &flwrpb.PushAppMessagesRequest{}, map[string][]byte{}
	for _, n := range nodes {
		m, tree, parts := message(&flwrpb.Metadata{RunId: b.l.RunID(), SrcNodeId: superLinkID, DstNodeId: n, MessageType: kind, Ttl: 60}, "model")
		in.MessagesList, in.MessageObjectTrees = append(in.MessagesList, m), append(in.MessageObjectTrees, tree)
		for id, content := range parts {
			objects[id] = content
		}
	}
	var out flwrpb.PushAppMessagesResponse
	b.serverApp("push-messages", in, &out)
	for _, id := range out.GetObjectsToPush() {
		b.serverApp("push-object", &flwrpb.PushObjectRequest{ObjectId: id, ObjectContent: objects[id]}, &flwrpb.PushObjectResponse{})
	}
	return out.GetMessageIds()
}

// work has the SuperNode take a message and reply to it.
func (b both) work() {
	b.t.Helper()
	var got flwrpb.PullMessagesResponse
	b.superNode("pull-messages", &flwrpb.PullMessagesRequest{}, &got)
	meta := got.GetMessagesList()[0].GetMetadata()
	if meta.GetDstNodeId() != NodeID {
		b.t.Errorf("the SuperNode got a message for %d", meta.GetDstNodeId())
	}
	b.whole(got.GetMessagesList()[0], got.GetMessageObjectTrees()[0])
	reply, tree, objects := message(&flwrpb.Metadata{RunId: b.l.RunID(), SrcNodeId: NodeID, DstNodeId: superLinkID, MessageType: meta.GetMessageType(),
		ReplyToMessageId: meta.GetMessageId(), Ttl: 60}, "update")
	var out flwrpb.PushMessagesResponse
	b.superNode("push-messages", &flwrpb.PushMessagesRequest{MessagesList: []*flwrpb.Message{reply}, MessageObjectTrees: []*flwrpb.ObjectTree{tree}}, &out)
	for _, id := range out.GetObjectsToPush() {
		b.superNode("push-object", &flwrpb.PushObjectRequest{ObjectId: id, ObjectContent: objects[id]}, &flwrpb.PushObjectResponse{})
	}
}

// whole checks that a message's objects can be pulled and that its root says what its metadata says.
func (b both) whole(m *flwrpb.Message, tree *flwrpb.ObjectTree) {
	b.t.Helper()
	ids, err := wire.TreeIDs(tree, 10)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, id := range ids {
		var out flwrpb.PullObjectResponse
		b.serverApp("pull-object", &flwrpb.PullObjectRequest{ObjectId: id}, &out)
		if wire.ObjectID(out.GetObjectContent()) != id {
			b.t.Errorf("the object %s is not here", id)
		}
		if _, body, _ := bytes.Cut(out.GetObjectContent(), []byte{0}); id == m.GetMetadata().GetMessageId() {
			var root flwrpb.Message
			if err := proto.Unmarshal(body, &root); err != nil || root.GetMetadata().GetDstNodeId() != m.GetMetadata().GetDstNodeId() ||
				root.GetMetadata().GetSrcNodeId() != m.GetMetadata().GetSrcNodeId() {
				b.t.Errorf("the root object says %v (%v), the message %v", root.GetMetadata(), err, m.GetMetadata())
			}
		}
	}
}

// A ServerApp that waits for three SuperNodes is shown them, and one reply answers what it asks of those that do not exist.
func TestOneReplyAnswersAllSuperNodes(t *testing.T) {
	b := newBoth(t, Options{})
	nodes := b.look(3)
	ids := b.ask("train", nodes[2], nodes[1])
	var early flwrpb.PullAppMessagesResponse
	b.serverApp("pull-messages", &flwrpb.PullAppMessagesRequest{MessageIds: ids}, &early)
	if len(early.GetMessagesList()) != 0 {
		t.Error("there is a reply before the SuperNode has worked")
	}
	b.work()
	var out flwrpb.PullAppMessagesResponse
	b.serverApp("pull-messages", &flwrpb.PullAppMessagesRequest{MessageIds: ids}, &out)
	if len(out.GetMessagesList()) != 2 {
		t.Fatalf("%d replies", len(out.GetMessagesList()))
	}
	for i, m := range out.GetMessagesList() {
		if meta := m.GetMetadata(); meta.GetReplyToMessageId() != ids[i] || meta.GetSrcNodeId() != nodes[2-i] {
			t.Errorf("reply %d: %v", i, meta)
		}
		b.whole(m, out.GetMessageObjectTrees()[i])
	}
	if asked := b.l.Asked(); len(asked) != 1 || asked[0].Copies != 1 || !asked[0].Answered || asked[0].Type != "train" {
		t.Errorf("asked: %+v", asked)
	}
	if n := len(b.look(1)); n != b.l.Nodes() || n > 4 {
		t.Errorf("it is shown %d SuperNodes after it has asked", n)
	}
}

// Without a number of rounds in its config, a ServerApp is ended when it begins another round.
func TestTheRoundEndsWhenAnotherBegins(t *testing.T) {
	b := newBoth(t, Options{OneRound: true})
	for _, kind := range []string{"train", "evaluate"} {
		b.ask(kind, NodeID)
		b.work()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		<-b.l.RoundOver()
		cancel() // the ServerApp is ended
	}()
	m, tree, _ := message(&flwrpb.Metadata{RunId: b.l.RunID(), SrcNodeId: superLinkID, DstNodeId: NodeID, MessageType: "train", Ttl: 61}, "model")
	in := &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{m}, MessageObjectTrees: []*flwrpb.ObjectTree{tree}}
	if got := b.status(ctx, b.l.Token(), "push-messages", in, &flwrpb.PushAppMessagesResponse{}); got == http.StatusOK {
		t.Error("the second round began")
	}
	if !b.l.Output().Stopped || len(b.l.Asked()) != 2 {
		t.Errorf("%+v; asked %+v", b.l.Output(), b.l.Asked())
	}
}

func TestWhatALinkRefuses(t *testing.T) {
	b := newBoth(t, Options{Most: 100})
	m, tree, objects := message(&flwrpb.Metadata{RunId: b.l.RunID(), SrcNodeId: superLinkID, DstNodeId: NodeID, MessageType: "train", Ttl: 60}, string(make([]byte, 200)))
	in := &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{m}, MessageObjectTrees: []*flwrpb.ObjectTree{tree}}
	b.serverApp("push-messages", in, &flwrpb.PushAppMessagesResponse{})
	big := tree.GetChildren()[0].GetObjectId()
	foreign := proto.Clone(m).(*flwrpb.Message)
	foreign.Metadata.DstNodeId = NodeID + 1
	for what, c := range map[string]struct {
		token, path string
		in          proto.Message
		want        int
	}{
		"another token":     {"x", "get-nodes", &flwrpb.GetNodesResponse{}, http.StatusUnauthorized},
		"another operation": {b.l.Token(), "create-task", &flwrpb.GetNodesResponse{}, http.StatusForbidden},
		"too much":          {b.l.Token(), "push-object", &flwrpb.PushObjectRequest{ObjectId: big, ObjectContent: objects[big]}, http.StatusRequestEntityTooLarge},
		"a wrong hash":      {b.l.Token(), "push-object", &flwrpb.PushObjectRequest{ObjectId: big, ObjectContent: []byte("x")}, http.StatusBadRequest},
		"an unlisted object": {b.l.Token(), "push-object", &flwrpb.PushObjectRequest{ObjectId: wire.ObjectID([]byte("x")), ObjectContent: []byte("x")},
			http.StatusBadRequest},
		"an unknown node": {b.l.Token(), "push-messages", &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{foreign},
			MessageObjectTrees: in.GetMessageObjectTrees()}, http.StatusBadRequest},
		"an unknown reply": {b.l.Token(), "pull-messages", &flwrpb.PullAppMessagesRequest{MessageIds: []string{"x"}}, http.StatusBadRequest},
	} {
		if got := b.status(t.Context(), c.token, c.path, c.in, &flwrpb.PushObjectResponse{}); got != c.want {
			t.Errorf("%s: status %d, want %d", what, got, c.want)
		}
	}
}
