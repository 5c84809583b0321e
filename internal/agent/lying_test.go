package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/agent/approval"
	"blossomtune/internal/client"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"
	"blossomtune/internal/testflwr"

	"google.golang.org/protobuf/proto"
)

// liar is a server with its gateway that says of runs, apps and approvals whatever a test wants.
type liar struct {
	t      *testing.T
	server *httptest.Server

	mu       sync.Mutex
	run      *flwrpb.Run
	asked    int
	fabs     map[string][]byte // what is sent for a hash
	waiting  []*flwrpb.Message
	objects  map[string][]byte
	replies  []*flwrpb.Message
	sent     map[string][]byte // objects of replies
	reported []client.AppDecision
	report   client.AgentReport
	changed  chan struct{}
}

const (
	liarNode = 4711
	liarRun  = 42
)

func newLiar(t *testing.T, fab []byte) *liar {
	l := &liar{t: t, fabs: map[string][]byte{}, objects: map[string][]byte{}, sent: map[string][]byte{}, changed: make(chan struct{})}
	l.offer(fab)
	l.server = httptest.NewTLSServer(l)
	t.Cleanup(l.server.Close)
	return l
}

// offer makes an app version the one of the run.
func (l *liar) offer(fab []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fabs[wire.ObjectID(fab)] = fab
	l.run = &flwrpb.Run{RunId: liarRun, FabId: "blossomtune/echo", FabVersion: "1.0.0", FabHash: wire.ObjectID(fab), SeriesId: 9}
}

func (l *liar) change(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
	close(l.changed)
	l.changed = make(chan struct{})
}

// until waits for something.
func (l *liar) until(what string, so func() bool) {
	l.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		l.mu.Lock()
		ok, next := so(), l.changed
		l.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-next:
		case <-limit:
			l.t.Fatalf("it did not happen: %s", what)
		}
	}
}

// ask sends a message and returns the reply's error, as the ServerApp sees it.
func (l *liar) ask() string {
	l.t.Helper()
	id := ""
	l.change(func() {
		l.asked++
		m := &flwrpb.Message{Metadata: &flwrpb.Metadata{RunId: liarRun, SrcNodeId: 1, DstNodeId: liarNode, GroupId: "1", Ttl: 3600, MessageType: "train",
			CreatedAt: float64(time.Now().UnixMicro()) / 1e6}}
		root := fmt.Appendf(nil, "Message  0\x00message %d", l.asked)
		id = wire.ObjectID(root)
		m.Metadata.MessageId, l.objects[id] = id, root
		l.waiting = append(l.waiting, m)
	})
	reason := ""
	l.until("a reply", func() bool {
		for _, r := range l.replies {
			if meta := r.GetMetadata(); meta.GetReplyToMessageId() == id && l.sent[meta.GetMessageId()] != nil {
				reason = r.GetError().GetReason()
				return true
			}
		}
		return false
	})
	return reason
}

// ServeHTTP implements http.Handler.
func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	switch {
	case r.URL.Path == "/api/v1/agent/report":
		l.change(func() { _ = json.Unmarshal(body, &l.report) })
		// It claims that all is approved, for another federation too, and that the policy is another.
		_, _ = fmt.Fprintf(w, `{"federation":{"slug":"trusted","name":"Cardio"},"partition":3,"num_partitions":10,"superlink":%q,"flwr_version":"1.42.0","node_id":"4711",
			"approve":"any","approved":true,"apps":[{"hash":"%s","state":"approved"}],"runs":[{"id":"42","name":"digits-1","launched_by":"nobody"}]}`, r.Host, l.run.GetFabHash())
	case r.URL.Path == "/api/v1/agent/apps":
		var in struct{ Apps []client.AppDecision }
		_ = json.Unmarshal(body, &in)
		l.change(func() { l.reported = append(l.reported, in.Apps...) })
		w.WriteHeader(http.StatusNoContent)
	case strings.HasPrefix(r.URL.Path, "/v1/fleet/"):
		out := l.fleet(r, strings.TrimPrefix(r.URL.Path, "/v1/fleet/"), body)
		text, err := proto.Marshal(out)
		if err != nil {
			l.t.Error(err)
		}
		_, _ = w.Write(text)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func decode[M proto.Message](body []byte, into M) M {
	_ = proto.Unmarshal(body, into) // a body of another form is empty
	return into
}

func (l *liar) fleet(r *http.Request, name string, body []byte) proto.Message {
	if name == "pull-messages" {
		return l.poll(r)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch name {
	case "activate-node":
		return &flwrpb.ActivateNodeResponse{NodeId: liarNode}
	case "send-node-heartbeat":
		return &flwrpb.SendNodeHeartbeatResponse{Success: true}
	case "get-run":
		return &flwrpb.GetRunResponse{Run: l.run}
	case "get-fab":
		hash := decode(body, &flwrpb.GetFabRequest{}).GetHashStr()
		return &flwrpb.GetFabResponse{Fab: &flwrpb.Fab{HashStr: hash, Content: l.fabs[hash]}}
	case "pull-object":
		content, ok := l.objects[decode(body, &flwrpb.PullObjectRequest{}).GetObjectId()]
		return &flwrpb.PullObjectResponse{ObjectFound: ok, ObjectAvailable: ok, ObjectContent: content}
	case "push-messages":
		in := decode(body, &flwrpb.PushMessagesRequest{})
		l.replies = append(l.replies, in.GetMessagesList()[0])
		ids, err := wire.TreeIDs(in.GetMessageObjectTrees()[0], 100)
		if err != nil {
			l.t.Error(err)
		}
		return &flwrpb.PushMessagesResponse{ObjectsToPush: ids, SessionId: "s"}
	case "push-object":
		in := decode(body, &flwrpb.PushObjectRequest{})
		l.sent[in.GetObjectId()] = in.GetObjectContent()
		close(l.changed)
		l.changed = make(chan struct{})
		return &flwrpb.PushObjectResponse{Stored: true}
	}
	return &flwrpb.DeactivateNodeResponse{}
}

func (l *liar) poll(r *http.Request) proto.Message {
	limit := time.After(5 * time.Second)
	for {
		l.mu.Lock()
		next := l.changed
		if len(l.waiting) > 0 {
			m := l.waiting[0]
			l.waiting = l.waiting[1:]
			l.mu.Unlock()
			return &flwrpb.PullMessagesResponse{MessagesList: []*flwrpb.Message{m}, MessageObjectTrees: []*flwrpb.ObjectTree{{ObjectId: m.GetMetadata().GetMessageId()}}}
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

// machine is a participant's machine with a real agent, enrolled at a liar.
type machine struct {
	t    *testing.T
	l    *liar
	h    home
	said *said
	now  func() time.Time
}

// said is what the agent tells its owner.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newMachine(t *testing.T, l *liar, p approval.Policy) *machine {
	t.Helper()
	m := &machine{t: t, l: l, h: home(t.TempDir()), said: &said{}, now: time.Now}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.server.Certificate().Raw})
	st := &state{Server: l.server.URL, Pin: "pin", TokenID: "token", Slug: "cardio", Name: "Cardio", NumPartitions: 10, Partition: 3,
		SuperLink: strings.TrimPrefix(l.server.URL, "https://"), Flwr: "1.42.0", NodeID: liarNode, CAPEM: string(ca), Approve: string(p)}
	if err := m.h.save(st); err != nil {
		t.Fatal(err)
	}
	if _, _, err := loadOrMakeKey(m.h.keyFile("token")); err != nil {
		t.Fatal(err)
	}
	return m
}

// start runs the agent; stop ends it and returns what it ended with.
func (m *machine) start() (stop func() error) {
	m.t.Helper()
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	n, err := m.node()
	if err != nil {
		m.t.Fatal(err)
	}
	go func() { ended <- n.keep(ctx) }()
	var result error
	done := false
	stop = func() error {
		if !done {
			cancel()
			result, done = <-ended, true
		}
		return result
	}
	m.t.Cleanup(func() {
		_ = stop()
		if m.t.Failed() {
			m.t.Logf("the agent said:\n%s", m.said)
		}
	})
	return stop
}

func (m *machine) node() (*node, error) {
	st, err := m.h.load()
	if err != nil {
		return nil, err
	}
	j, _, err := prepare(Options{URL: m.l.server.URL, Deps: DepsNever, Version: "test", Out: m.said, Clock: func() time.Time { return m.now() }})
	if err != nil {
		return nil, err
	}
	key, err := loadKey(m.h.keyFile(st.TokenID))
	if err != nil {
		return nil, err
	}
	public, err := publicPEM(key)
	if err != nil {
		return nil, err
	}
	conn, err := connect(j.srv, st.CAPEM, j.clock)
	if err != nil {
		return nil, err
	}
	return &node{j: j, h: m.h, st: st, sign: j.signer(key), pem: public, conn: conn, env: testflwr.Venv(m.t)}, nil
}

// here is the machine as commands see it.
func (m *machine) here() Machine {
	m.t.Helper()
	got, err := OneMachine(string(m.h), "")
	if err != nil {
		m.t.Fatal(err)
	}
	return got
}

// approve lets the owner approve a version that waits.
func (m *machine) approve(fab []byte) {
	m.t.Helper()
	v, err := m.here().FindApp(wire.ObjectID(fab))
	if err == nil {
		err = m.here().Decide(v, approval.Approved, m.now)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) write(name, text string, mode os.FileMode) {
	m.t.Helper()
	path := filepath.Join(string(m.h), name)
	err := os.WriteFile(path, []byte(text), 0o600)
	if err == nil {
		err = os.Chmod(path, mode)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// started reports whether a ClientApp has run here.
func (m *machine) started() bool { return sizeOf(m.h.runLog(liarRun)) > 0 }
