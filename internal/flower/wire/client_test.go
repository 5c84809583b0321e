package wire

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"blossomtune/internal/domain"

	"github.com/google/go-cmp/cmp"
)

// superlink stands in for a SuperLink: it keeps the calls and gives to each path an answer that the installed flwr encoded.
type superlink struct {
	answers map[string][]byte
	calls   []call
}

type call struct {
	Path    string      `json:"path"`
	Body    []byte      `json:"body"`
	Headers http.Header `json:"headers"`
}

func (s *superlink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.calls = append(s.calls, call{r.URL.Path, body, r.Header})
	answer, ok := s.answers[r.Method+" "+r.URL.Path]
	if !ok {
		http.Error(w, `{"detail":"Not Found"}`, http.StatusNotFound)
		return
	}
	_, _ = w.Write(answer)
}

type object = map[string]any

type encoded struct {
	path   string
	Type   string `json:"type"`
	Fields object `json:"fields"`
}

// encode lets flwr encode answers, by path.
func encode(t *testing.T, in ...encoded) map[string][]byte {
	t.Helper()
	var out [][]byte
	ask(t, "encode", in, &out)
	answers := map[string][]byte{}
	for i, b := range out {
		answers["POST "+in[i].path] = b
	}
	return answers
}

// TestCallsAreFlwrs makes every call of the client. flwr knows the paths, decodes the requests to what was meant, and the
// client decodes flwr's answers.
func TestCallsAreFlwrs(t *testing.T) {
	key := base64.StdEncoding.EncodeToString([]byte("a key"))
	link := &superlink{answers: encode(t,
		encoded{"/v1/control/start-run", "StartRunResponse", object{"run_id": "18446744073709551615"}},
		encoded{"/v1/control/stop-run", "StopRunResponse", object{"success": true}},
		encoded{"/v1/control/list-runs", "ListRunsResponse", object{"run_dict": object{"9": object{
			"run_id": "9", "fab_hash": "abc", "pending_at": "2026-11-02T10:00:00.25+00:00", "bytes_sent": "5", "bytes_recv": "6",
			"status": object{"status": "finished", "sub_status": "failed", "details": "why"}}}}},
		encoded{"/v1/control/register-node", "RegisterNodeResponse", object{"node_id": "11"}},
		encoded{"/v1/control/unregister-node", "UnregisterNodeResponse", object{}},
		encoded{"/v1/control/list-nodes", "ListNodesResponse", object{"nodes_info": []object{{
			"node_id": "11", "status": "online", "public_key": key, "name": "Site North"}}}},
		encoded{"/v1/runtime/acquire-task", "AcquireTaskResponse", object{"token": "secret", "task": object{
			"task_id": "3", "type": ServerAppTask, "run_id": "9", "fab_hash": "abc"}}},
	)}
	c, ctx := client(t, link.ServeHTTP), t.Context()
	var got, want []any
	add := func(g any, err error, w any) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		got, want = append(got, g), append(want, w)
	}
	id, err := c.StartRun(ctx, []byte("fab"), map[string]any{"s": "x", "i": int64(-2), "f": 0.5, "b": true})
	add(id, err, uint64(1<<64-1))
	add(nil, c.StopRun(ctx, 9), nil)
	runs, err := c.ListRuns(ctx, 9)
	add(runs, err, []Run{{ID: 9, FABHash: "abc", Status: "finished", SubStatus: "failed", Details: "why", BytesSent: 5, BytesRecv: 6,
		PendingAt: time.Date(2026, 11, 2, 10, 0, 0, 250e6, time.UTC)}})
	_, err = c.ListRuns(ctx, 0)
	add(nil, err, nil)
	node, err := c.RegisterNode(ctx, []byte("a key"), "Site North")
	add(node, err, uint64(11))
	add(nil, c.UnregisterNode(ctx, 11), nil)
	nodes, err := c.ListNodes(ctx)
	add(nodes, err, []Node{{ID: 11, Status: "online", PublicPEM: []byte("a key"), Name: "Site North"}})
	task, err := c.AcquireTask(ctx, []byte("s"), ServerAppTask, "other")
	add(task, err, &Task{ID: 3, Type: ServerAppTask, RunID: 9, FABHash: "abc", Token: "secret"})
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("answers (-want +got):\n%s", d)
	}

	var meant []object
	ask(t, "decode", link.calls, &meant)
	wantMeant := []object{
		{"fab": object{"hash_str": sha256Hex("fab"), "content": "ZmFi"}, "federation": "@none/default",
			"override_config": object{"s": object{"string": "x"}, "i": object{"sint64": "-2"}, "f": object{"double": 0.5}, "b": object{"bool": true}}},
		{"run_id": "9"}, {"run_id": "9"}, {},
		{"public_key": key, "name": "Site North"}, {"node_id": "11"}, {},
		{"supported_task_types": []any{ServerAppTask, "other"}},
	}
	if d := cmp.Diff(wantMeant, meant); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
	for _, call := range link.calls {
		if call.Headers.Get("Content-Type") != "application/protobuf" || call.Headers.Get("Accept") != "application/protobuf" {
			t.Errorf("%s: headers %v", call.Path, call.Headers)
		}
	}
}

func TestNothingToDo(t *testing.T) {
	link := &superlink{answers: encode(t, encoded{"/v1/runtime/acquire-task", "AcquireTaskResponse", object{}})}
	if task, err := client(t, link.ServeHTTP).AcquireTask(t.Context(), []byte("s"), ServerAppTask); task != nil || err != nil {
		t.Errorf("no task is pending: got %v, %v", task, err)
	}
	gone := &superlink{answers: encode(t, encoded{"/v1/control/list-runs", "ListRunsResponse", object{}})}
	if err := client(t, gone.ServeHTTP).StopRun(t.Context(), 5); domain.CodeOf(err) != domain.NotFound {
		t.Errorf("stopping an unknown run: %v", err)
	}
	if _, err := client(t, gone.ServeHTTP).StartRun(t.Context(), nil, map[string]any{"x": 1}); domain.CodeOf(err) != domain.Invalid {
		t.Errorf("a config value of a type that does not travel: %v", err)
	}
	if len(gone.calls) != 2 {
		t.Errorf("%d calls, want stop-run and list-runs only", len(gone.calls))
	}
}

type chunk struct {
	Text   string
	Latest float64
}

func readLog(ctx context.Context, c *Client) (out []chunk, err error) {
	err = c.StreamLogs(ctx, 9, 1.5, func(text string, latest float64) error {
		out = append(out, chunk{text, latest})
		return nil
	})
	return out, err
}

// TestStreamIsFlwrs reads a stream that flwr framed, whole and cut off at every byte.
func TestStreamIsFlwrs(t *testing.T) {
	var stream []byte
	ask(t, "frames", []encoded{
		{Type: "StreamLogsResponse", Fields: object{"log_output": "one\n", "latest_timestamp": 2.5}},
		{Type: "StreamLogsResponse", Fields: object{}},
		{Type: "StreamLogsResponse", Fields: object{"log_output": "two\n", "latest_timestamp": 3}},
	}, &stream)
	want := []chunk{{"one\n", 2.5}, {"", 0}, {"two\n", 3}}
	ends := map[int]int{0: 0, len(stream): 3}
	for n := range 3 {
		for i, at := 0, 0; i <= n; i++ {
			at += 4 + int(stream[at+3])
			ends[at] = i + 1
		}
	}
	for n := range len(stream) + 1 {
		link := &superlink{answers: map[string][]byte{"POST /v1/control/stream-logs": stream[:n]}}
		got, err := readLog(t.Context(), client(t, link.ServeHTTP))
		frames, whole := ends[n]
		if whole && (err != nil || !slices.Equal(got, want[:frames])) {
			t.Errorf("%d of %d bytes: got %v, %v", n, len(stream), got, err)
		}
		if !whole && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d of %d bytes: a stream that broke off gives %v", n, len(stream), err)
		}
		if n > 0 {
			continue
		}
		var meant []object
		ask(t, "decode", link.calls, &meant)
		if d := cmp.Diff([]object{{"run_id": "9", "after_timestamp": 1.5}}, meant); d != "" || link.calls[0].Headers.Get("Accept") != "application/flower-protobuf-stream" {
			t.Errorf("%s%v", d, link.calls[0].Headers)
		}
	}
	huge := &superlink{answers: map[string][]byte{"POST /v1/control/stream-logs": {255, 255, 255, 255}}}
	if _, err := readLog(t.Context(), client(t, huge.ServeHTTP)); err == nil {
		t.Error("a frame of 4 GB is read")
	}
}
