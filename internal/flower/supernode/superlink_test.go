package supernode_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

const (
	nodeID = 4711
	runID  = 42
)

// superLink is a fake of the Fleet API of a SuperLink: it hands out the messages that a test gives it and keeps what comes back. The
// real one is in the end-to-end tests; here a test decides when what fails.
type superLink struct {
	t      *testing.T
	server *httptest.Server
	fab    []byte

	mu       sync.Mutex
	fault    func(path string, body []byte) int // an HTTP status to answer with instead; 0: none
	hold     func(name string)                  // called before a call is answered that has been counted; may be nil
	up       int64                              // bytes of the calls that belong to messages
	run      *flwrpb.Run
	over     bool
	picky    bool // accepts error replies alone
	waiting  []given
	objects  map[string][]byte
	calls    []string // paths and what matters of the bodies
	replies  []*flwrpb.Message
	received map[string][]byte // objects of replies
	wanted   map[string]bool   // announced and not received yet
	changed  chan struct{}     // closed at each change
}

type given struct {
	message *flwrpb.Message
	tree    *flwrpb.ObjectTree
}

func newSuperLink(t *testing.T, fab []byte) *superLink {
	sum := sha256.Sum256(fab)
	l := &superLink{t: t, fab: fab, objects: map[string][]byte{}, received: map[string][]byte{}, wanted: map[string]bool{}, changed: make(chan struct{}),
		run: &flwrpb.Run{RunId: runID, FabId: "blossomtune/echo", FabVersion: "1.0.0", FabHash: hex.EncodeToString(sum[:]), SeriesId: 9,
			OverrideConfig: map[string]*flwrpb.Scalar{"rate": {Scalar: &flwrpb.Scalar_Double{Double: 0.25}}}}}
	l.server = httptest.NewTLSServer(l)
	t.Cleanup(l.server.Close)
	return l
}

func (l *superLink) addr() string { return strings.TrimPrefix(l.server.URL, "https://") }

// change does something and tells those who wait.
func (l *superLink) change(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
	close(l.changed)
	l.changed = make(chan struct{})
}

// until waits until something is so.
func (l *superLink) until(what string, so func() bool) {
	l.t.Helper()
	limit := time.After(20 * time.Second)
	look := time.NewTicker(20 * time.Millisecond) // for what changes elsewhere
	defer look.Stop()
	for {
		l.mu.Lock()
		ok, next := so(), l.changed
		l.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-next:
		case <-look.C:
		case <-limit:
			l.t.Fatalf("it did not happen: %s; calls: %s", what, strings.Join(l.seen(), ", "))
		}
	}
}

func (l *superLink) seen() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.calls)
}

// give makes a message and hands it out at the next poll.
func (l *superLink) give(content string) *flwrpb.Message {
	l.t.Helper()
	m := &flwrpb.Message{Metadata: &flwrpb.Metadata{RunId: runID, SrcNodeId: 1, DstNodeId: nodeID, GroupId: "1", Ttl: 3600,
		MessageType: "train", CreatedAt: float64(time.Now().UnixMicro()) / 1e6}}
	child, root := []byte("RecordDict  0\x00"+content), []byte("Message  0\x00"+content)
	id := wire.ObjectID(root)
	m.Metadata.MessageId = id
	tree := &flwrpb.ObjectTree{ObjectId: id, Children: []*flwrpb.ObjectTree{{ObjectId: wire.ObjectID(child)}}}
	l.change(func() {
		l.objects[id], l.objects[wire.ObjectID(child)] = root, child
		l.waiting = append(l.waiting, given{m, tree})
	})
	return m
}

// reply waits for the n-th whole reply.
func (l *superLink) reply(n int) *flwrpb.Message {
	l.t.Helper()
	l.until(fmt.Sprintf("reply %d", n), func() bool { return len(l.replies) >= n && len(l.wanted) == 0 })
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.replies[n-1]
}

func (l *superLink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	l.mu.Lock()
	fault := 0
	if l.fault != nil {
		fault = l.fault(r.URL.Path, body)
	}
	l.mu.Unlock()
	if fault != 0 {
		w.WriteHeader(fault)
		return
	}
	out, status := l.answer(r, body)
	if status != 0 {
		w.WriteHeader(status)
		if status == http.StatusForbidden {
			_, _ = w.Write([]byte(`{"code": 2007, "detail": "The current run status does not allow this."}`))
		}
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/v1/fleet/")
	got, poll := out.(*flwrpb.PullMessagesResponse)
	if poll && len(got.GetMessagesList()) > 0 || !poll && !slices.Contains([]string{"activate-node", "deactivate-node", "send-node-heartbeat"}, name) {
		l.change(func() { l.up += int64(len(body)) })
		if l.hold != nil {
			l.hold(name)
		}
	}
	text, err := proto.Marshal(out)
	if err != nil {
		l.t.Error(err)
	}
	w.Header().Set("Content-Type", "application/protobuf")
	_, _ = w.Write(text)
}

func (l *superLink) answer(r *http.Request, body []byte) (out proto.Message, status int) {
	name := strings.TrimPrefix(r.URL.Path, "/v1/fleet/")
	if name == "pull-messages" {
		return l.poll(r), 0
	}
	said := ""
	l.change(func() {
		out, said, status = l.handle(name, body)
		if name != "send-node-heartbeat" {
			l.calls = append(l.calls, strings.TrimSpace(name+" "+said))
		}
	})
	return out, status
}

// poll is held open until there is a message, but not for long.
func (l *superLink) poll(r *http.Request) *flwrpb.PullMessagesResponse {
	limit := time.After(5 * time.Second)
	for {
		l.mu.Lock()
		next := l.changed
		if len(l.waiting) > 0 {
			g := l.waiting[0]
			l.waiting = l.waiting[1:]
			l.calls = append(l.calls, "pull-messages")
			l.mu.Unlock()
			return &flwrpb.PullMessagesResponse{MessagesList: []*flwrpb.Message{g.message}, MessageObjectTrees: []*flwrpb.ObjectTree{g.tree}}
		}
		l.mu.Unlock()
		select {
		case <-next:
		case <-limit:
			return &flwrpb.PullMessagesResponse{}
		case <-r.Context().Done():
			return &flwrpb.PullMessagesResponse{}
		}
	}
}

func read[M proto.Message](l *superLink, body []byte, into M) M {
	if err := proto.Unmarshal(body, into); err != nil {
		l.t.Error(err)
	}
	return into
}

// handle answers a call; said is what a test compares of it.
func (l *superLink) handle(name string, body []byte) (out proto.Message, said string, status int) {
	if l.over && slices.Contains([]string{"get-run", "get-fab", "push-messages", "push-object", "confirm-message-received"}, name) {
		return nil, "run over", http.StatusForbidden
	}
	switch name {
	case "activate-node":
		in := read(l, body, &flwrpb.ActivateNodeRequest{})
		return &flwrpb.ActivateNodeResponse{NodeId: nodeID}, fmt.Sprintf("interval %v", in.GetHeartbeatInterval()), 0
	case "deactivate-node":
		return &flwrpb.DeactivateNodeResponse{}, fmt.Sprint(read(l, body, &flwrpb.DeactivateNodeRequest{}).GetNodeId()), 0
	case "send-node-heartbeat":
		return &flwrpb.SendNodeHeartbeatResponse{Success: true}, "", 0
	case "get-run":
		in := read(l, body, &flwrpb.GetRunRequest{})
		return &flwrpb.GetRunResponse{Run: l.run}, fmt.Sprint(in.GetNode().GetNodeId(), in.GetRunId()), 0
	case "get-fab":
		in := read(l, body, &flwrpb.GetFabRequest{})
		return &flwrpb.GetFabResponse{Fab: &flwrpb.Fab{HashStr: l.run.GetFabHash(), Content: l.fab}}, fmt.Sprint(in.GetNode().GetNodeId(), in.GetRunId(), in.GetHashStr()), 0
	case "pull-object":
		in := read(l, body, &flwrpb.PullObjectRequest{})
		content, ok := l.objects[in.GetObjectId()]
		return &flwrpb.PullObjectResponse{ObjectFound: ok, ObjectAvailable: ok, ObjectContent: content}, fmt.Sprint(in.GetNode().GetNodeId(), in.GetRunId(), in.GetObjectId()), 0
	case "confirm-message-received":
		in := read(l, body, &flwrpb.ConfirmMessageReceivedRequest{})
		return &flwrpb.ConfirmMessageReceivedResponse{}, fmt.Sprint(in.GetNode().GetNodeId(), in.GetRunId(), in.GetMessageObjectId()), 0
	case "push-messages":
		return l.pushed(read(l, body, &flwrpb.PushMessagesRequest{}))
	case "push-object":
		in := read(l, body, &flwrpb.PushObjectRequest{})
		stored := l.wanted[in.GetObjectId()] && wire.ObjectID(in.GetObjectContent()) == in.GetObjectId()
		delete(l.wanted, in.GetObjectId())
		l.received[in.GetObjectId()] = in.GetObjectContent()
		return &flwrpb.PushObjectResponse{Stored: stored}, fmt.Sprint(in.GetNode().GetNodeId(), in.GetRunId(), in.GetSessionId()), 0
	}
	return nil, "", http.StatusNotFound
}

func (l *superLink) pushed(in *flwrpb.PushMessagesRequest) (proto.Message, string, int) {
	m, tree := in.GetMessagesList()[0], in.GetMessageObjectTrees()[0]
	if l.picky && m.GetError() == nil {
		return &flwrpb.PushMessagesResponse{SessionId: "session"}, "refused", 0
	}
	ids, err := wire.TreeIDs(tree, 100)
	if err != nil {
		l.t.Error(err)
	}
	if !slices.ContainsFunc(l.replies, func(o *flwrpb.Message) bool { return o.GetMetadata().GetMessageId() == m.GetMetadata().GetMessageId() }) {
		l.replies = append(l.replies, m)
	}
	for _, id := range ids {
		l.wanted[id] = true
	}
	meta := m.GetMetadata()
	said := fmt.Sprintf("node %d: run %d, %d to %d, reply to %s, group %s, type %s, content %v, error %v, %d objects, runtime %v", in.GetNode().GetNodeId(), meta.GetRunId(),
		meta.GetSrcNodeId(), meta.GetDstNodeId(), meta.GetReplyToMessageId(), meta.GetGroupId(), meta.GetMessageType(), m.GetContent() != nil, m.GetError() != nil, len(ids),
		in.GetClientappRuntimeList()[0] > 0)
	return &flwrpb.PushMessagesResponse{ObjectsToPush: ids, SessionId: "session"}, said, 0
}
