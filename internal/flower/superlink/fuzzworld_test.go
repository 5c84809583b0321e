package superlink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// The SuperNodes and runs of a world: fixed numbers, so that an input means the same in each process.
const (
	nodeA, nodeB, nodeOffline, nodeGone   = 11, 12, 13, 14
	runOne, runTwo, runEnded, runPending  = 101, 102, 103, 104
	tokenOne, tokenTwo                    = "one", "two"
	worldBegan                            = 1_800_000_000
	fabContent                            = "a FAB"
	nodeInterval                          = 30 * time.Second
	allowedAllocation, allocationEachByte = 8 << 20, 256
)

// world is a SuperLink in the middle of its work, whose clock only the test moves.
type world struct {
	t        testing.TB
	dir      string
	store    *memory
	link     *Link
	fleet    http.Handler
	runtime  http.Handler
	measured bool              // what each call allocates is checked
	now      atomic.Int64      // in nanoseconds
	acked    map[string]uint64 // messages that were accepted, with their runs, and whose replies nobody confirmed
}

// parcel is a message or reply with all of its objects.
type parcel struct {
	message *flwrpb.Message
	tree    *flwrpb.ObjectTree
	objects map[string][]byte
	ids     []string
}

func (p parcel) id() string { return p.message.GetMetadata().GetMessageId() }

func wrap(run, from, to uint64, replyTo string, ttl float64, contents ...string) parcel {
	p := parcel{objects: map[string][]byte{}, tree: &flwrpb.ObjectTree{}}
	var children []string
	for _, c := range contents {
		id := wire.ObjectID([]byte(c))
		p.objects[id], children = []byte(c), append(children, id)
		p.tree.Children = append(p.tree.Children, &flwrpb.ObjectTree{ObjectId: id})
	}
	meta := &flwrpb.Metadata{RunId: run, SrcNodeId: from, DstNodeId: to, ReplyToMessageId: replyTo, GroupId: "1", MessageType: "train",
		Ttl: ttl, CreatedAt: worldBegan}
	body, _ := proto.MarshalOptions{Deterministic: true}.Marshal(&flwrpb.Message{Metadata: meta})
	root := append(fmt.Appendf(nil, "Message %s %d\x00", strings.Join(children, ","), len(body)), body...)
	meta.MessageId = wire.ObjectID(root)
	p.message, p.tree.ObjectId, p.objects[meta.GetMessageId()] = &flwrpb.Message{Metadata: meta}, meta.GetMessageId(), root
	p.ids = append([]string{meta.GetMessageId()}, children...)
	return p
}

// base holds the rows of SuperNodes and runs.
func base() *memory {
	at := time.Unix(worldBegan-100, 0).UTC()
	m := newMemory()
	for id, status := range map[uint64]string{nodeA: Online, nodeB: Online, nodeOffline: Offline, nodeGone: Unregistered} {
		m.nodes[id] = NodeRow{ID: id, PublicPEM: fmt.Append(nil, "key ", id), Status: status, Interval: nodeInterval,
			RegisteredAt: at}
	}
	fab := wire.ObjectID([]byte(fabContent))
	m.fabs[fab] = []byte(fabContent)
	for id, r := range map[uint64]RunRow{
		runOne:   {Status: Running, TaskID: 1001, TokenHash: hashed(tokenOne)},
		runTwo:   {Status: Running, TaskID: 1002, TokenHash: hashed(tokenTwo)},
		runEnded: {Status: Finished, SubStatus: Stopped}, runPending: {Status: Pending},
	} {
		r.ID, r.Key, r.FABHash, r.App, r.Version, r.PendingAt = id, fmt.Sprint(id), fab, "a/b", "1", at
		m.runs[id] = r
	}
	return m
}

func hashed(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

func openWorld(t testing.TB, dir string, store *memory) *world {
	w := &world{t: t, dir: dir, store: store, acked: map[string]uint64{}}
	w.now.Store(worldBegan * int64(time.Second))
	w.reopen()
	return w
}

func (w *world) reopen() {
	w.link = w.openLink()
	w.fleet, w.runtime = w.link.FleetHandler(), w.link.RuntimeHandler(nil)
}

func (w *world) openLink() *Link {
	l, err := Open(context.Background(), Options{Dir: w.dir, Store: w.store, Log: slog.New(slog.DiscardHandler), MostBytes: 1 << 20,
		Clock: func() time.Time { return time.Unix(0, w.now.Load()).UTC() }})
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// send makes a call with any body and checks what holds for every answer.
func (w *world) send(fleet bool, name, token string, body []byte) *httptest.ResponseRecorder {
	w.t.Helper()
	h, prefix := w.runtime, runtimePrefix
	if fleet {
		h, prefix = w.fleet, fleetPrefix
	}
	req := httptest.NewRequest(http.MethodPost, prefix+name, bytes.NewReader(body))
	req.Header.Set(wire.HeaderTaskToken, token)
	res := httptest.NewRecorder()
	if w.measured {
		before := allocated()
		defer func() {
			if used := allocated() - before; used > allowedAllocation+allocationEachByte*uint64(len(body)) {
				w.t.Errorf("%s allocates %d bytes for a body of %d", name, used, len(body))
			}
		}()
	}
	h.ServeHTTP(res, req)
	switch res.Code {
	case 200, 400, 401, 403, 404, 412, 413, 507:
	default:
		w.t.Errorf("%s: HTTP %d %s, fault %v", name, res.Code, res.Body, w.link.Err())
	}
	return res
}

// ask sends a protobuf call and reads its answer.
func (w *world) ask(fleet bool, name, token string, in, out proto.Message) int {
	w.t.Helper()
	body, err := proto.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	res := w.send(fleet, name, token, body)
	if res.Code == http.StatusOK && out != nil {
		if err := proto.Unmarshal(res.Body.Bytes(), out); err != nil {
			w.t.Errorf("%s: %v", name, err)
		}
	}
	return res.Code
}

func nodeOf(id uint64) *flwrpb.Node { return &flwrpb.Node{NodeId: id} }

func pushed1(run uint64, from uint64, id string, content []byte) *flwrpb.PushObjectRequest {
	return &flwrpb.PushObjectRequest{Node: nodeOf(from), RunId: run, ObjectId: id, ObjectContent: content}
}

// post accepts a message with as many of its objects as are to come.
func (w *world) post(token string, p parcel, objects int) {
	w.t.Helper()
	var out flwrpb.PushAppMessagesResponse
	w.ask(false, "push-messages", token, &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{p.message},
		MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}}, &out)
	if len(out.GetMessageIds()) == 1 && out.GetMessageIds()[0] != "" {
		w.acked[out.GetMessageIds()[0]] = p.message.GetMetadata().GetRunId()
	}
	for _, id := range p.ids[:min(objects, len(p.ids))] {
		w.ask(false, "push-object", token, pushed1(0, ServerID, id, p.objects[id]), nil)
	}
}

// reply announces a reply and sends as many of its objects as are to come.
func (w *world) reply(from uint64, p parcel, objects int) {
	w.t.Helper()
	w.ask(true, "push-messages", "", &flwrpb.PushMessagesRequest{Node: nodeOf(from), MessagesList: []*flwrpb.Message{p.message},
		MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}, ClientappRuntimeList: []float64{1}}, nil)
	for _, id := range p.ids[:min(objects, len(p.ids))] {
		w.ask(true, "push-object", "", pushed1(p.message.GetMetadata().GetRunId(), from, id, p.objects[id]), nil)
	}
}

// large is kept in a file.
var large = "Array  70000\x00" + strings.Repeat("w", 70_000)

// The messages and replies that calls of a script are about.
var (
	asked = []parcel{
		wrap(runOne, ServerID, nodeA, "", 3600, "model", "config"),
		wrap(runOne, ServerID, nodeA, "", 100, "model", "second"),
		wrap(runOne, ServerID, nodeB, "", 3600, "model", large),
		wrap(runOne, ServerID, nodeOffline, "", 3600, "model"),
		wrap(runTwo, ServerID, nodeA, "", 3600, "model", "other"),
		wrap(runTwo, ServerID, nodeB, "", 250, "other", ""),
		wrap(runTwo, ServerID, nodeGone, "", 3600, "model"),
		wrap(runEnded, ServerID, nodeB, "", 3600, "model"),
	}
	answers = func() (out []parcel) {
		for i, p := range asked {
			m := p.message.GetMetadata()
			last := large
			if i%4 != 2 { // a file takes long
				last = "small"
			}
			out = append(out, wrap(m.GetRunId(), m.GetDstNodeId(), ServerID, p.id(), m.GetTtl(), "model", fmt.Sprint("result ", i), last),
				wrap(m.GetRunId(), m.GetDstNodeId(), ServerID, p.id(), m.GetTtl(), fmt.Sprint("another ", i)))
		}
		return out
	}()
)

// busy is a store in the middle of everything: messages that wait, were given, confirmed, half sent; replies that are whole and half here.
func busy(t testing.TB, dir string) *memory {
	w := openWorld(t, dir, base())
	defer w.link.Close()
	w.post(tokenOne, asked[2], 3)
	w.ask(true, "pull-messages", "", &flwrpb.PullMessagesRequest{Node: nodeOf(nodeB)}, nil)
	w.ask(true, "confirm-message-received", "", &flwrpb.ConfirmMessageReceivedRequest{Node: nodeOf(nodeB), RunId: runOne,
		MessageObjectId: asked[2].id()}, nil)
	w.reply(nodeB, answers[4], 2)
	w.post(tokenTwo, asked[4], 3)
	w.ask(true, "pull-messages", "", &flwrpb.PullMessagesRequest{Node: nodeOf(nodeA)}, nil)
	w.reply(nodeA, answers[9], 2)
	w.post(tokenOne, asked[0], 3)
	w.post(tokenOne, asked[1], 1)
	w.check()
	return w.store
}
