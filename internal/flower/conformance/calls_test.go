package conformance

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

const superLinkID = 1

// script makes calls to one engine and keeps what came of each.
type script struct {
	t        *testing.T
	e        *engine
	n        *names
	steps    []string
	outcomes map[string]string
	sessions map[string]string // the push sessions of messages and replies
}

func newScript(t *testing.T, e *engine) *script {
	return &script{t: t, e: e, n: newNames(), outcomes: map[string]string{}, sessions: map[string]string{}}
}

func (s *script) note(step, outcome string) {
	if _, ok := s.outcomes[step]; ok {
		s.t.Fatalf("two steps are called %q", step)
	}
	s.steps, s.outcomes[step] = append(s.steps, step), outcome
}

// participant is a SuperNode that is played.
type participant struct {
	key *ecdsa.PrivateKey
	id  uint64
}

func (s *script) participant(name string) participant {
	p := participant{key: newKey(s.t)}
	p.id = s.e.register(p.key)
	s.n.id(p.id, name)
	return p
}

// outcome says what an answer was: its fields, or its status and Flower's code.
func (s *script) outcome(w *httptest.ResponseRecorder, out proto.Message) string {
	if w.Code == http.StatusOK {
		if err := proto.Unmarshal(w.Body.Bytes(), out); err != nil {
			return err.Error()
		}
		if polled, ok := out.(*flwrpb.PullAppMessagesResponse); ok {
			for _, m := range polled.GetMessagesList() {
				if m.GetError() != nil {
					s.n.call(m.GetMetadata().GetMessageId(), "ERROR")
				}
			}
		}
		return s.n.render(out)
	}
	var said struct{ Code int }
	_ = json.Unmarshal(w.Body.Bytes(), &said)
	if said.Code == 0 {
		return fmt.Sprint(w.Code)
	}
	return fmt.Sprint(w.Code, " code ", said.Code)
}

func (s *script) send(path string, headers http.Header, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, path, bytes.NewReader(body))
	r.Header = headers.Clone()
	r.Header.Set("Content-Type", "application/protobuf")
	return s.e.answerOf(r)
}

// fleet makes a call of the Fleet API as a SuperNode, and notes the outcome.
func (s *script) fleet(step string, p participant, route string, in, out proto.Message) {
	s.t.Helper()
	headers, err := wire.SignHeaders(p.key, time.Now())
	check(s.t, err)
	body, err := proto.Marshal(in)
	check(s.t, err)
	s.note(step, s.outcome(s.send("/v1/fleet/"+route, headers, body), out))
}

// app is a ServerApp that is played.
type app struct {
	run   uint64
	token string
}

func (s *script) app(name string) app {
	run, token := s.e.start(appBundle, nil)
	s.n.id(run, name)
	return app{run, token}
}

// runtime makes a call of the Runtime API as a ServerApp, and notes the outcome.
func (s *script) runtime(step string, a app, route string, in, out proto.Message) {
	s.t.Helper()
	body, err := proto.Marshal(in)
	check(s.t, err)
	s.note(step, s.outcome(s.send("/v1/runtime/"+route, http.Header{http.CanonicalHeaderKey(wire.HeaderTaskToken): {a.token}}, body), out))
}

// parcel is a message or reply with its objects.
type parcel struct {
	message *flwrpb.Message
	tree    *flwrpb.ObjectTree
	objects map[string][]byte
	ids     []string // of the objects, the root first
}

func (p parcel) id() string { return p.message.GetMetadata().GetMessageId() }

// pack makes a message as Flower does. change alters its metadata first; it may be nil.
func (s *script) pack(name string, run, from, to uint64, change func(m *flwrpb.Metadata), contents ...string) parcel {
	meta := &flwrpb.Metadata{RunId: run, SrcNodeId: from, DstNodeId: to, GroupId: "1", MessageType: "train", Ttl: 3600,
		CreatedAt: float64(time.Now().UnixMicro()) / 1e6}
	if change != nil {
		change(meta)
	}
	p := parcel{objects: map[string][]byte{}, tree: &flwrpb.ObjectTree{}}
	var children []string
	for _, c := range contents {
		id := wire.ObjectID([]byte(c))
		p.objects[id], children = []byte(c), append(children, id)
		p.tree.Children = append(p.tree.Children, &flwrpb.ObjectTree{ObjectId: id})
	}
	body, err := proto.Marshal(&flwrpb.Message{Metadata: meta, Content: &flwrpb.RecordDict{}})
	check(s.t, err)
	root := append(fmt.Appendf(nil, "Message %s %d\x00", strings.Join(children, ","), len(body)), body...)
	id := wire.ObjectID(root)
	s.n.call(id, name)
	p.objects[id], p.ids = root, append([]string{id}, children...)
	p.tree.ObjectId, meta.MessageId = id, id
	p.message = &flwrpb.Message{Metadata: meta, Content: &flwrpb.RecordDict{}}
	return p
}

// reply makes the reply to a message, which expires with it.
func (s *script) reply(name string, to parcel, contents ...string) parcel {
	m := to.message.GetMetadata()
	return s.pack(name, m.GetRunId(), m.GetDstNodeId(), superLinkID, func(r *flwrpb.Metadata) {
		r.ReplyToMessageId, r.Ttl = m.GetMessageId(), m.GetCreatedAt()+m.GetTtl()-r.GetCreatedAt()
	}, contents...)
}

func (s *script) post(step string, a app, parcels ...parcel) {
	s.t.Helper()
	in := &flwrpb.PushAppMessagesRequest{}
	for _, p := range parcels {
		in.MessagesList, in.MessageObjectTrees = append(in.MessagesList, p.message), append(in.MessageObjectTrees, p.tree)
	}
	out := &flwrpb.PushAppMessagesResponse{}
	s.runtime(step, a, "push-messages", in, out)
	for _, p := range parcels { // the session of the last call counts
		s.sessions[p.id()] = out.GetSessionId()
	}
}

// upload sends all objects of a message, which the outcomes do not show one by one.
func (s *script) upload(step string, a app, p parcel) {
	s.t.Helper()
	for i, id := range p.ids {
		s.put(fmt.Sprintf("%s (object %d)", step, i), a, p, id, p.objects[id])
	}
}

func (s *script) put(step string, a app, p parcel, id string, content []byte) {
	s.t.Helper()
	s.runtime(step, a, "push-object", &flwrpb.PushObjectRequest{Node: node(superLinkID), RunId: a.run, ObjectId: id, ObjectContent: content,
		SessionId: s.sessions[p.id()]}, &flwrpb.PushObjectResponse{})
}

func (s *script) announce(step string, from participant, p parcel) {
	s.t.Helper()
	out := &flwrpb.PushMessagesResponse{}
	s.fleet(step, from, "push-messages", &flwrpb.PushMessagesRequest{Node: node(from.id), MessagesList: []*flwrpb.Message{p.message},
		MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}, ClientappRuntimeList: []float64{1}}, out)
	s.sessions[p.id()] = out.GetSessionId()
}

func (s *script) give(step string, from participant, p parcel, id string) {
	s.t.Helper()
	s.fleet(step, from, "push-object", &flwrpb.PushObjectRequest{Node: node(from.id), RunId: p.message.GetMetadata().GetRunId(), ObjectId: id,
		ObjectContent: p.objects[id], SessionId: s.sessions[p.id()]}, &flwrpb.PushObjectResponse{})
}

func (s *script) activate(step string, p participant, public []byte, interval float64) {
	s.t.Helper()
	s.fleet(step, p, "activate-node", &flwrpb.ActivateNodeRequest{PublicKey: public, HeartbeatInterval: interval},
		&flwrpb.ActivateNodeResponse{})
}

func (s *script) leave(step string, p participant, id uint64) {
	s.t.Helper()
	s.fleet(step, p, "deactivate-node", &flwrpb.DeactivateNodeRequest{NodeId: id}, &flwrpb.DeactivateNodeResponse{})
}

func (s *script) beat(step string, p participant, id uint64, interval float64) {
	s.t.Helper()
	in := &flwrpb.SendNodeHeartbeatRequest{HeartbeatInterval: interval}
	if id != 0 {
		in.Node = node(id)
	}
	s.fleet(step, p, "send-node-heartbeat", in, &flwrpb.SendNodeHeartbeatResponse{})
}

func (s *script) run(step string, p participant, id, run uint64) {
	s.t.Helper()
	s.fleet(step, p, "get-run", &flwrpb.GetRunRequest{Node: node(id), RunId: run}, &flwrpb.GetRunResponse{})
}

func (s *script) bundle(step string, p participant, run uint64, hash string) {
	s.t.Helper()
	s.fleet(step, p, "get-fab", &flwrpb.GetFabRequest{Node: node(p.id), RunId: run, HashStr: hash}, &flwrpb.GetFabResponse{})
}

func (s *script) fetch(step string, a app, from uint64, id string) {
	s.t.Helper()
	s.runtime(step, a, "pull-object", &flwrpb.PullObjectRequest{Node: node(from), RunId: a.run, ObjectId: id}, &flwrpb.PullObjectResponse{})
}

func (s *script) poll(step string, p participant) {
	s.t.Helper()
	s.fleet(step, p, "pull-messages", &flwrpb.PullMessagesRequest{Node: node(p.id)}, &flwrpb.PullMessagesResponse{})
}

func (s *script) pull(step string, p participant, run uint64, id string) {
	s.t.Helper()
	s.fleet(step, p, "pull-object", &flwrpb.PullObjectRequest{Node: node(p.id), RunId: run, ObjectId: id}, &flwrpb.PullObjectResponse{})
}

func (s *script) confirm(step string, p participant, run uint64, id string) {
	s.t.Helper()
	s.fleet(step, p, "confirm-message-received", &flwrpb.ConfirmMessageReceivedRequest{Node: node(p.id), RunId: run, MessageObjectId: id},
		&flwrpb.ConfirmMessageReceivedResponse{})
}

func (s *script) replies(step string, a app, asked ...string) {
	s.t.Helper()
	s.runtime(step, a, "pull-messages", &flwrpb.PullAppMessagesRequest{MessageIds: asked}, &flwrpb.PullAppMessagesResponse{})
}

func node(id uint64) *flwrpb.Node { return &flwrpb.Node{NodeId: id} }
