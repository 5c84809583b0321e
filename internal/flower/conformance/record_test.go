package conformance

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// call is one call of a real client with its answer.
type call struct {
	who, route    string
	status        int
	in, out       []byte
	request, said proto.Message
}

// recorder stands before an engine and keeps all calls.
type recorder struct {
	e *engine
	n *names

	mu    sync.Mutex
	who   map[string]string // by the header with the public key
	calls []call

	listed map[string]bool // objects of all messages so far
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	fleet := strings.HasPrefix(r.URL.Path, "/v1/fleet/")
	c := call{who: "ServerApp", route: r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], in: body}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := rec.e.answerOf(r)
	c.status, c.out = answer.Code, bytes.Clone(answer.Body.Bytes())
	rec.mu.Lock()
	if fleet {
		c.who = rec.who[r.Header.Get(wire.HeaderPublicKey)]
	}
	rec.calls = append(rec.calls, c)
	rec.mu.Unlock()
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(c.out)
}

// count returns how many calls of a route were answered with 200.
func (rec *recorder) count(route string) (n int) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	for _, c := range rec.calls {
		if c.route == route && c.status == http.StatusOK {
			n++
		}
	}
	return n
}

// take returns the calls since the last time, decoded, and notes which objects are Messages, and which belong to several of them.
func (rec *recorder) take(t *testing.T) []call {
	t.Helper()
	rec.mu.Lock()
	calls := rec.calls
	rec.calls = nil
	rec.mu.Unlock()
	for i := range calls {
		c := &calls[i]
		c.request, c.said = messagesOf(c.who != "ServerApp", c.route)
		if c.request == nil {
			t.Fatalf("%s makes the call %s, which nothing here knows", c.who, c.route)
		}
		if err := proto.Unmarshal(c.in, c.request); err != nil {
			t.Error(err)
		}
		if c.status == http.StatusOK {
			if err := proto.Unmarshal(c.out, c.said); err != nil {
				t.Error(err)
			}
		}
		switch in := c.request.(type) {
		case *flwrpb.PushObjectRequest:
			rec.n.object(in.GetObjectContent())
		case *flwrpb.PushMessagesRequest:
			rec.trees(t, in.GetMessageObjectTrees())
		case *flwrpb.PushAppMessagesRequest:
			rec.trees(t, in.GetMessageObjectTrees())
		}
		if out, ok := c.said.(*flwrpb.PullObjectResponse); ok {
			rec.n.object(out.GetObjectContent())
		}
	}
	return calls
}

// trees notes which objects were listed by an earlier call too.
func (rec *recorder) trees(t *testing.T, trees []*flwrpb.ObjectTree) {
	t.Helper()
	now := map[string]bool{}
	for _, tree := range trees {
		ids, err := wire.TreeIDs(tree, 1000)
		check(t, err)
		for _, id := range ids {
			now[id] = true
		}
	}
	for id := range now {
		rec.n.many[id] = rec.listed[id]
		rec.listed[id] = true
	}
}

// messagesOf returns what a route's call and answer are; what has no fields of interest is an empty message.
func messagesOf(fleet bool, route string) (in, out proto.Message) {
	switch route {
	case "push-object":
		return &flwrpb.PushObjectRequest{}, &flwrpb.PushObjectResponse{}
	case "pull-object":
		return &flwrpb.PullObjectRequest{}, &flwrpb.PullObjectResponse{}
	case "confirm-message-received":
		return &flwrpb.ConfirmMessageReceivedRequest{}, &flwrpb.ConfirmMessageReceivedResponse{}
	}
	if fleet {
		return fleetMessages(route)
	}
	switch route {
	case "pull-messages":
		return &flwrpb.PullAppMessagesRequest{}, &flwrpb.PullAppMessagesResponse{}
	case "push-messages":
		return &flwrpb.PushAppMessagesRequest{}, &flwrpb.PushAppMessagesResponse{}
	case "pull-task-input":
		return &flwrpb.DeactivateNodeResponse{}, &flwrpb.PullTaskInputResponse{}
	case "push-task-output":
		return &flwrpb.PushTaskOutputRequest{}, &flwrpb.PushTaskOutputResponse{}
	case "get-nodes":
		return &flwrpb.DeactivateNodeResponse{}, &flwrpb.GetNodesResponse{}
	case "send-task-heartbeat":
		return &flwrpb.DeactivateNodeResponse{}, &flwrpb.SendTaskHeartbeatResponse{}
	case "push-logs":
		return &flwrpb.DeactivateNodeResponse{}, &flwrpb.PushLogsResponse{}
	}
	return nil, nil
}

func fleetMessages(route string) (in, out proto.Message) {
	switch route {
	case "activate-node":
		return &flwrpb.ActivateNodeRequest{}, &flwrpb.ActivateNodeResponse{}
	case "deactivate-node":
		return &flwrpb.DeactivateNodeRequest{}, &flwrpb.DeactivateNodeResponse{}
	case "send-node-heartbeat":
		return &flwrpb.SendNodeHeartbeatRequest{}, &flwrpb.SendNodeHeartbeatResponse{}
	case "pull-messages":
		return &flwrpb.PullMessagesRequest{}, &flwrpb.PullMessagesResponse{}
	case "push-messages":
		return &flwrpb.PushMessagesRequest{}, &flwrpb.PushMessagesResponse{}
	case "get-run":
		return &flwrpb.GetRunRequest{}, &flwrpb.GetRunResponse{}
	case "get-fab":
		return &flwrpb.GetFabRequest{}, &flwrpb.GetFabResponse{}
	}
	return nil, nil
}

// skipped reports whether a call depends on time alone: a heartbeat, a log, an object that also belongs to another message, or a question
// for an object that has not come.
func (rec *recorder) skipped(c call) bool {
	if in, ok := c.request.(*flwrpb.PushObjectRequest); ok {
		return rec.n.many[in.GetObjectId()]
	}
	if said, ok := c.said.(*flwrpb.PullObjectResponse); ok && c.status == http.StatusOK {
		return !said.GetObjectAvailable()
	}
	return slices.Contains([]string{"send-node-heartbeat", "send-task-heartbeat", "push-logs"}, c.route)
}

// line describes a call: who asks for what with which fields, and what the answer says.
func (rec *recorder) line(c call) string {
	answer := fmt.Sprint("HTTP ", c.status)
	if c.status == http.StatusOK {
		answer = without(rec.n.render(c.said), map[string]bool{})
	}
	return fmt.Sprintf("%s %s -> %s", c.route, without(rec.n.render(c.request), map[string]bool{}), answer)
}

// ofNode is what a SuperNode said and heard, in its order. Polls that brought nothing, repeated heartbeats and questions for objects that
// had not come are left out; transfers of objects happen side by side and are sorted.
func (rec *recorder) ofNode(calls []call, who string) (out []string) {
	var transfers []string
	flush := func() {
		slices.Sort(transfers)
		out, transfers = append(out, transfers...), nil
	}
	for _, c := range calls {
		if c.who != who || rec.skipped(c) {
			continue
		}
		if said, ok := c.said.(*flwrpb.PullMessagesResponse); ok && len(said.GetMessagesList()) == 0 && c.status == http.StatusOK {
			continue
		}
		if strings.HasSuffix(c.route, "-object") {
			transfers = append(transfers, rec.line(c))
			continue
		}
		flush()
		out = append(out, rec.line(c))
	}
	flush()
	return out
}

// ofApp is what a ServerApp said and heard from its first push of messages to the next after a reply, sorted. How many polls it made
// depends on the time, so each reply that came counts, and each different answer about the nodes.
func (rec *recorder) ofApp(calls []call) (out []string) {
	var since []string
	flush := func() {
		slices.Sort(since)
		out, since = append(out, since...), nil
	}
	nodes := map[string]bool{}
	for _, c := range calls {
		if c.who != "ServerApp" || rec.skipped(c) {
			continue
		}
		if polled, ok := c.said.(*flwrpb.PullAppMessagesResponse); ok && c.status == http.StatusOK {
			for i, m := range polled.GetMessagesList() {
				since = append(since, "reply "+rec.n.render(m)+" "+rec.n.render(polled.GetMessageObjectTrees()[i]))
			}
			continue
		}
		line := rec.line(c)
		if c.route == "get-nodes" {
			nodes[line] = true
			continue
		}
		if c.route == "push-messages" && slices.ContainsFunc(since, isReply) {
			flush()
		}
		since = append(since, line)
	}
	flush()
	for line := range nodes {
		out = append(out, line)
	}
	slices.Sort(out[len(out)-len(nodes):])
	return out
}

func isReply(line string) bool { return strings.HasPrefix(line, "reply ") }

// serve lets real clients reach the recorder over TLS.
func (rec *recorder) serve(t *testing.T) *httptest.Server {
	srv := httptest.NewTLSServer(rec)
	t.Cleanup(srv.Close)
	return srv
}
