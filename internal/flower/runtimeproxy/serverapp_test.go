package runtimeproxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire/flwrpb"
	"blossomtune/internal/testflwr"

	"google.golang.org/protobuf/proto"
)

// packed is a message as testdata/run.py lets flwr make it.
type packed struct {
	Message []byte            `json:"message"`
	Tree    []byte            `json:"tree"`
	Objects map[string][]byte `json:"objects"`
}

type step struct {
	Asks    []packed   `json:"asks"`
	Replies []packed   `json:"replies"`
	Metrics []measured `json:"metrics"` // what a ServerApp reads from the replies
}

// measured is one number that a ServerApp reads from a reply.
type measured struct {
	Round int          `json:"round"`
	Phase domain.Phase `json:"phase"`
	Node  uint64       `json:"node"`
	Name  string       `json:"name"`
	Value float64      `json:"value"`
}

func (p packed) message(t *testing.T) *flwrpb.Message {
	t.Helper()
	m := &flwrpb.Message{}
	if err := proto.Unmarshal(p.Message, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func (p packed) tree(t *testing.T) *flwrpb.ObjectTree {
	t.Helper()
	o := &flwrpb.ObjectTree{}
	if err := proto.Unmarshal(p.Tree, o); err != nil {
		t.Fatal(err)
	}
	return o
}

var flwrRuns struct {
	sync.Once
	runs map[string][]step
}

// runOf returns the steps of a run that the installed flwr made: "new", "old" or "odd".
func runOf(t *testing.T, name string) []step {
	t.Helper()
	flwrRuns.Do(func() {
		env := testflwr.Venv(t)
		var stderr bytes.Buffer
		cmd := exec.CommandContext(t.Context(), env.Bin("python"), filepath.Join("testdata", "run.py"))
		cmd.Env, cmd.Stderr = append(env.Environ(t.TempDir()), "PYTHONDONTWRITEBYTECODE=1"), &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("letting flwr make messages: %v\n%s", err, stderr.Bytes())
		}
		if err := json.Unmarshal(out, &flwrRuns.runs); err != nil {
			t.Fatal(err)
		}
	})
	if len(flwrRuns.runs[name]) == 0 {
		t.Fatalf("flwr made no run %q", name)
	}
	return flwrRuns.runs[name]
}

// serverApp is a fake: it plays a ServerApp's HttpGrid, which repeats a call whose connection broke or that was answered with
// 503, and confirms each reply after it has pulled its objects.
type serverApp struct {
	t    *testing.T
	base *url.URL
	http *http.Client

	calls  int                 // calls so far, not counting repetitions
	before func(call, try int) // called before a call is tried; may be nil
	got    []*flwrpb.Message   // replies in the order of their arrival
}

func newServerApp(t *testing.T, proxy *url.URL) *serverApp {
	return &serverApp{t: t, base: proxy, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

var errStatus = errors.New("not answered with 200")

func (a *serverApp) try(name string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.base.JoinPath(prefix, name).String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.GetBody = nil
	res, err := a.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

func (a *serverApp) call(name string, in, out proto.Message) error {
	body, err := proto.Marshal(in)
	if err != nil {
		return err
	}
	n := a.calls
	a.calls++
	for try := range 20 {
		if a.before != nil {
			a.before(n, try)
		}
		status, answer, err := a.try(name, body)
		if err != nil || status == http.StatusServiceUnavailable {
			continue
		}
		if status != http.StatusOK {
			return fmt.Errorf("%w: %s: %d %s", errStatus, name, status, answer)
		}
		return proto.Unmarshal(answer, out)
	}
	return fmt.Errorf("%s was never answered", name)
}

// run plays the steps from the first call of a ServerApp to its last.
func (a *serverApp) run(steps []step) error {
	var none flwrpb.UnregisterNodeResponse
	for _, name := range []string{"pull-task-input", "send-task-heartbeat"} {
		if err := a.call(name, &none, &none); err != nil {
			return err
		}
	}
	for _, st := range steps {
		if err := a.exchange(st); err != nil {
			return err
		}
	}
	return a.call("push-task-output", &flwrpb.PushTaskOutputRequest{SubStatus: "completed"}, &none)
}

func (a *serverApp) exchange(st step) error {
	in, out := &flwrpb.PushAppMessagesRequest{}, &flwrpb.PushAppMessagesResponse{}
	objects := map[string][]byte{}
	for _, ask := range st.Asks {
		in.MessagesList = append(in.MessagesList, ask.message(a.t))
		in.MessageObjectTrees = append(in.MessageObjectTrees, ask.tree(a.t))
		for id, content := range ask.Objects {
			objects[id] = content
		}
	}
	if err := a.call("push-messages", in, out); err != nil {
		return err
	}
	pushed := map[string]bool{}
	for _, id := range out.GetObjectsToPush() {
		if pushed[id] {
			continue
		}
		pushed[id] = true
		if err := a.call("push-object", &flwrpb.PushObjectRequest{RunId: 7, ObjectId: id, ObjectContent: objects[id]}, &flwrpb.StopRunResponse{}); err != nil {
			return err
		}
	}
	waiting := out.GetMessageIds()
	for range 20 {
		if len(waiting) == 0 {
			return nil
		}
		var err error
		if waiting, err = a.pull(waiting); err != nil {
			return err
		}
	}
	return fmt.Errorf("%d replies never came", len(waiting))
}

// pull polls once, takes in what came, and returns the messages that have no reply yet.
func (a *serverApp) pull(waiting []string) ([]string, error) {
	out := &flwrpb.PullAppMessagesResponse{}
	if err := a.call("pull-messages", &flwrpb.PullAppMessagesRequest{MessageIds: waiting}, out); err != nil {
		return nil, err
	}
	here := map[string]bool{}
	for i, m := range out.GetMessagesList() {
		for _, id := range flatten(out.GetMessageObjectTrees()[i], nil) {
			object := &flwrpb.PullObjectResponse{}
			if err := a.call("pull-object", &flwrpb.PullObjectRequest{RunId: 7, ObjectId: id}, object); err != nil {
				return nil, err
			}
			if !object.GetObjectAvailable() {
				return nil, fmt.Errorf("the object %s is not available", id)
			}
		}
		if err := a.call("confirm-message-received", &flwrpb.ConfirmMessageReceivedRequest{MessageObjectId: m.GetMetadata().GetMessageId()}, &flwrpb.UnregisterNodeResponse{}); err != nil {
			return nil, err
		}
		a.got = append(a.got, m)
		here[m.GetMetadata().GetReplyToMessageId()] = true
	}
	var rest []string
	for _, id := range waiting {
		if !here[id] {
			rest = append(rest, id)
		}
	}
	return rest, nil
}
