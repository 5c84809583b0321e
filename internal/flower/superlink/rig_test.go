package superlink_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/flower/observe"
	"blossomtune/internal/flower/superlink"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"
	"blossomtune/internal/store/linkstore"
	"blossomtune/internal/store/storetest"

	"google.golang.org/protobuf/proto"
)

// rig is a SuperLink with a clock that only the test moves, and with what a restart needs.
type rig struct {
	t       testing.TB
	dir     string
	address string
	limits  superlink.Options // only its limits
	store   *linkstore.Store
	link    *superlink.Link

	mu  sync.Mutex
	now time.Time
}

// each runs a test on both databases.
func each(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newRig(t, "sqlite:"+filepath.Join(t.TempDir(), "link.db"))) })
	t.Run("postgres", func(t *testing.T) { test(t, newRig(t, storetest.PostgresURL(t))) })
}

func newRig(t testing.TB, address string) *rig {
	r := &rig{t: t, dir: filepath.Join(t.TempDir(), "objects"), address: address, now: time.Unix(1_800_000_000, 0)}
	r.open()
	t.Cleanup(r.close)
	return r
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// pass lets time pass for the SuperLink.
func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

func (r *rig) open() {
	r.t.Helper()
	store, err := linkstore.Open(context.Background(), r.address, 7)
	if err != nil {
		r.t.Fatal(err)
	}
	link, err := superlink.Open(context.Background(), superlink.Options{Dir: r.dir, Store: store, Clock: r.clock,
		Log: slog.New(slog.DiscardHandler), MostBytes: r.limits.MostBytes, MostPending: r.limits.MostPending,
		MostNodeBytes: r.limits.MostNodeBytes})
	if err != nil {
		r.t.Fatal(err)
	}
	r.store, r.link = store, link
}

func (r *rig) close() {
	r.link.Close()
	if err := r.store.Close(); err != nil {
		r.t.Error(err)
	}
}

// restart is what a kill -9 of the keeper and its next start come to: nothing but the store and the files is left.
func (r *rig) restart() {
	r.t.Helper()
	r.close()
	r.open()
}

// call makes one call and returns its status.
func (r *rig) call(h http.Handler, path, token string, in, out proto.Message) int {
	r.t.Helper()
	body, err := proto.Marshal(in)
	if err != nil {
		r.t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	req.Header.Set(wire.HeaderTaskToken, token)
	req.Header.Set(superlink.HeaderHold, "0")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	if w.Code == http.StatusOK && out != nil {
		if err := proto.Unmarshal(w.Body.Bytes(), out); err != nil {
			r.t.Fatalf("%s: %v", path, err)
		}
	}
	return w.Code
}

func (r *rig) fleet(name string, in, out proto.Message) int {
	r.t.Helper()
	return r.call(r.link.FleetHandler(), "/v1/fleet/"+name, "", in, out)
}

func (r *rig) must(status int) {
	r.t.Helper()
	if status != http.StatusOK {
		r.t.Fatalf("HTTP %d", status)
	}
}

// node registers and activates a SuperNode.
func (r *rig) node(name string) uint64 {
	r.t.Helper()
	id, err := r.link.Register([]byte("key of "+name), name, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	r.activate(name)
	return id
}

func (r *rig) activate(name string) {
	r.t.Helper()
	r.must(r.fleet("activate-node", &flwrpb.ActivateNodeRequest{PublicKey: []byte("key of " + name), HeartbeatInterval: 30}, nil))
}

// app is a ServerApp by hand.
type app struct {
	r     *rig
	run   uint64
	token string
	seen  *observe.Observer // may be nil
}

func (r *rig) app(key string) *app {
	r.t.Helper()
	config, err := superlink.EncodeConfig(map[string]any{"rounds": int64(3)})
	if err != nil {
		r.t.Fatal(err)
	}
	id, err := r.link.Start(superlink.Order{Key: key, FAB: []byte("a FAB " + key), App: "a/b", Version: "1.0.0", Config: config})
	if err != nil {
		r.t.Fatal(err)
	}
	task, err := r.link.Acquire(id)
	if err != nil {
		r.t.Fatal(err)
	}
	a := &app{r: r, run: id, token: task.Token}
	var in flwrpb.PullTaskInputResponse
	r.must(a.call("pull-task-input", &flwrpb.GetNodesResponse{}, &in))
	if in.GetRun().GetRunId() != id || string(in.GetFab().GetContent()) != "a FAB "+key ||
		in.GetRun().GetOverrideConfig()["rounds"].GetSint64() != 3 {
		r.t.Fatalf("input %v", &in)
	}
	return a
}

func (a *app) call(name string, in, out proto.Message) int {
	a.r.t.Helper()
	return a.r.call(a.r.link.RuntimeHandler(a.seen), "/v1/runtime/"+name, a.token, in, out)
}

// parcel is a message or reply with all of its objects.
type parcel struct {
	message *flwrpb.Message
	tree    *flwrpb.ObjectTree
	objects map[string][]byte
}

func (p parcel) id() string { return p.message.GetMetadata().GetMessageId() }

// pack makes a message as Flower does: a root object that names its records, and the records.
func pack(meta *flwrpb.Metadata, contents ...[]byte) parcel {
	p := parcel{objects: map[string][]byte{}, tree: &flwrpb.ObjectTree{}}
	var children []string
	for _, c := range contents {
		id := wire.ObjectID(c)
		p.objects[id], children = c, append(children, id)
		p.tree.Children = append(p.tree.Children, &flwrpb.ObjectTree{ObjectId: id})
	}
	body, _ := proto.Marshal(&flwrpb.Message{Metadata: meta})
	root := append(fmt.Appendf(nil, "Message %s %d\x00", strings.Join(children, ","), len(body)), body...)
	meta.MessageId = wire.ObjectID(root)
	p.message, p.tree.ObjectId, p.objects[meta.GetMessageId()] = &flwrpb.Message{Metadata: meta}, meta.GetMessageId(), root
	return p
}

func (r *rig) metadata(run, from, to uint64, replyTo string) *flwrpb.Metadata {
	return &flwrpb.Metadata{RunId: run, SrcNodeId: from, DstNodeId: to, ReplyToMessageId: replyTo, GroupId: "1", MessageType: "train",
		Ttl: 3600, CreatedAt: float64(r.clock().UnixMicro()) / 1e6}
}

// ask sends a message with its objects.
func (a *app) ask(to uint64, contents ...[]byte) parcel {
	a.r.t.Helper()
	p := pack(a.r.metadata(a.run, superlink.ServerID, to, ""), contents...)
	a.post(p)
	return p
}

// post sends a message with those of its objects that the SuperLink does not have.
func (a *app) post(p parcel) {
	a.r.t.Helper()
	var out flwrpb.PushAppMessagesResponse
	a.r.must(a.call("push-messages", &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{p.message},
		MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}}, &out))
	if len(out.GetMessageIds()) != 1 || out.GetMessageIds()[0] != p.id() {
		a.r.t.Fatalf("the message was not taken: %v", &out)
	}
	for _, id := range out.GetObjectsToPush() {
		a.push(id, p.objects[id])
	}
}

func (a *app) push(id string, content []byte) {
	a.r.t.Helper()
	var out flwrpb.PushObjectResponse
	a.r.must(a.call("push-object", &flwrpb.PushObjectRequest{Node: &flwrpb.Node{NodeId: superlink.ServerID}, RunId: a.run, ObjectId: id,
		ObjectContent: content, SessionId: "s"}, &out))
	if !out.GetStored() {
		a.r.t.Fatal("an object was not stored")
	}
}

// replies polls once.
func (a *app) replies(asked ...parcel) []*flwrpb.Message {
	a.r.t.Helper()
	in := &flwrpb.PullAppMessagesRequest{}
	for _, p := range asked {
		in.MessageIds = append(in.MessageIds, p.id())
	}
	var out flwrpb.PullAppMessagesResponse
	a.r.must(a.call("pull-messages", in, &out))
	for i, m := range out.GetMessagesList() {
		for _, id := range append([]string{out.GetMessageObjectTrees()[i].GetObjectId()}, childIDs(out.GetMessageObjectTrees()[i])...) {
			var o flwrpb.PullObjectResponse
			a.r.must(a.call("pull-object", &flwrpb.PullObjectRequest{Node: &flwrpb.Node{NodeId: superlink.ServerID}, RunId: a.run, ObjectId: id},
				&o))
			if !o.GetObjectAvailable() || wire.ObjectID(o.GetObjectContent()) != id {
				a.r.t.Fatalf("object %.8s of reply %.8s is not what its name says", id, m.GetMetadata().GetMessageId())
			}
		}
	}
	return out.GetMessagesList()
}

func childIDs(t *flwrpb.ObjectTree) (out []string) {
	for _, c := range t.GetChildren() {
		out = append(out, c.GetObjectId())
	}
	return out
}

func (a *app) confirm(reply string) {
	a.r.t.Helper()
	a.r.must(a.call("confirm-message-received", &flwrpb.ConfirmMessageReceivedRequest{Node: &flwrpb.Node{NodeId: superlink.ServerID},
		RunId: a.run, MessageObjectId: reply}, nil))
}

// pull polls once for a SuperNode; nil: nothing.
func (r *rig) pull(node uint64) *flwrpb.Message {
	r.t.Helper()
	var out flwrpb.PullMessagesResponse
	r.must(r.fleet("pull-messages", &flwrpb.PullMessagesRequest{Node: &flwrpb.Node{NodeId: node}}, &out))
	if len(out.GetMessagesList()) == 0 {
		return nil
	}
	return out.GetMessagesList()[0]
}

func (r *rig) object(node, run uint64, id string) (*flwrpb.PullObjectResponse, int) {
	r.t.Helper()
	out := &flwrpb.PullObjectResponse{}
	status := r.fleet("pull-object", &flwrpb.PullObjectRequest{Node: &flwrpb.Node{NodeId: node}, RunId: run, ObjectId: id}, out)
	return out, status
}

func (r *rig) confirm(node uint64, m *flwrpb.Message) {
	r.t.Helper()
	r.must(r.fleet("confirm-message-received", &flwrpb.ConfirmMessageReceivedRequest{Node: &flwrpb.Node{NodeId: node},
		RunId: m.GetMetadata().GetRunId(), MessageObjectId: m.GetMetadata().GetMessageId()}, nil))
}

// announce sends a reply without its objects, and returns what is still to come.
func (r *rig) announce(node uint64, p parcel) []string {
	r.t.Helper()
	var out flwrpb.PushMessagesResponse
	r.must(r.fleet("push-messages", &flwrpb.PushMessagesRequest{Node: &flwrpb.Node{NodeId: node},
		MessagesList: []*flwrpb.Message{p.message}, MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}, ClientappRuntimeList: []float64{1.5}},
		&out))
	return out.GetObjectsToPush()
}

func (r *rig) send(node, run uint64, id string, content []byte) (bool, int) {
	r.t.Helper()
	var out flwrpb.PushObjectResponse
	status := r.fleet("push-object", &flwrpb.PushObjectRequest{Node: &flwrpb.Node{NodeId: node}, RunId: run, ObjectId: id,
		ObjectContent: content}, &out)
	return out.GetStored(), status
}

// answer does what a SuperNode does with a message.
func (r *rig) answer(node uint64, m *flwrpb.Message, contents ...[]byte) parcel {
	r.t.Helper()
	r.confirm(node, m)
	p := pack(r.metadata(m.GetMetadata().GetRunId(), node, superlink.ServerID, m.GetMetadata().GetMessageId()), contents...)
	p.message.Metadata.Ttl = m.GetMetadata().GetCreatedAt() + m.GetMetadata().GetTtl() - p.message.GetMetadata().GetCreatedAt()
	for _, id := range r.announce(node, p) {
		if stored, status := r.send(node, m.GetMetadata().GetRunId(), id, p.objects[id]); !stored {
			r.t.Fatalf("an object of the reply was not stored: HTTP %d", status)
		}
	}
	return p
}
