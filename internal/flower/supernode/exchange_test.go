package supernode_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/flower/supernode"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"
	"blossomtune/internal/testflwr"

	"google.golang.org/protobuf/proto"
)

var built struct {
	sync.Once
	fab []byte
	err error
}

// fab is the app of testdata/echo, built by Flower.
func fab(t *testing.T) []byte {
	t.Helper()
	built.Do(func() { built.fab, built.err = testflwr.Venv(t).BuildFAB(context.Background(), "testdata/echo") })
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.fab
}

// real is a message that Flower itself has made.
func (l *superLink) real() *flwrpb.Message {
	l.t.Helper()
	env := testflwr.Venv(l.t)
	out, err := exec.CommandContext(l.t.Context(), env.Bin("python"), "testdata/message.py", fmt.Sprint(runID), fmt.Sprint(nodeID)).Output()
	if err != nil {
		l.t.Fatal(err)
	}
	var made struct {
		Message, Tree []byte
		Objects       map[string]string
	}
	if err := json.Unmarshal(out, &made); err != nil {
		l.t.Fatal(err)
	}
	m, tree := read(l, made.Message, &flwrpb.Message{}), read(l, made.Tree, &flwrpb.ObjectTree{})
	l.change(func() {
		for id, text := range made.Objects {
			content, err := base64.StdEncoding.DecodeString(text)
			if err != nil || wire.ObjectID(content) != id {
				l.t.Errorf("an object of Flower's: %v", err)
			}
			l.objects[id] = content
		}
		l.waiting = append(l.waiting, given{m, tree})
	})
	return m
}

// program runs real ClientApps, as the agent does.
func program(t *testing.T) apps {
	env, dir := testflwr.Venv(t), t.TempDir()
	return func(ctx context.Context, task *supernode.Task) error {
		token := filepath.Join(dir, "token")
		if err := os.WriteFile(token, []byte(task.Token), 0o600); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, env.Bin("flwr-clientapp"), "--runtime-api-address", task.Address, "--insecure", "--token-file", token)
		cmd.Dir, cmd.Env = dir, env.Environ(filepath.Join(dir, "home"))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
}

// flowers runs a real flower-supernode against the link until the test ends.
func flowers(t *testing.T, l *superLink) {
	t.Helper()
	env, dir := testflwr.Venv(t), t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.server.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ecdsa", "-b", "384", "-N", "", "-f", filepath.Join(dir, "key")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.CommandContext(context.Background(), env.Bin("flower-supernode"), "--superlink", l.addr(), "--root-certificates", ca, "--auth-supernode-private-key",
		filepath.Join(dir, "key"), "--node-config", "partition-id=3 num-partitions=10", "--port", strconv.Itoa(freePort(t)))
	cmd.Dir, cmd.Env = dir, env.Environ(filepath.Join(dir, "home"))
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		timer := time.AfterFunc(15*time.Second, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		if err := cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
			t.Error(err)
		}
		_ = log.Close()
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("flower-supernode: %s", said)
		}
	})
}

// exchange gives two real messages to a node and returns what it said, without what differs from one exchange to the next, and what
// its app answered.
func exchange(t *testing.T, run func(t *testing.T, l *superLink)) (calls, answers []string) {
	t.Helper()
	l := newSuperLink(t, fab(t))
	t.Run("it", func(t *testing.T) {
		run(t, l)
		for n := 1; n <= 2; n++ {
			l.real()
			reply := l.reply(n)
			if reply.GetError() != nil {
				t.Errorf("%v", reply)
			}
		}
	})
	hide := func(s string) string {
		for id := range l.received {
			s = strings.ReplaceAll(s, id, "OBJECT")
		}
		for id, content := range l.objects {
			if strings.HasPrefix(string(content), "Message ") {
				s = strings.ReplaceAll(s, id, "MESSAGE")
			}
		}
		return s
	}
	for _, c := range l.seen() {
		if c = hide(c); !strings.HasPrefix(c, "get-run") || !slices.Contains(calls, c) { // ours asks again whether the run has ended
			calls = append(calls, c)
		}
	}
	for _, content := range l.received {
		if kind, _, _ := strings.Cut(string(content), " "); kind != "Message" && kind != "RecordDict" {
			answers = append(answers, wire.ObjectID(content))
		}
	}
	slices.Sort(answers)
	return ordered(calls), answers
}

// ordered sorts runs of object transfers, which happen side by side, and takes the end out, which the two reach differently.
func ordered(calls []string) []string {
	kind := func(s string) string { name, _, _ := strings.Cut(s, " "); return name }
	calls = slices.DeleteFunc(calls, func(s string) bool { return kind(s) == "deactivate-node" })
	for i := 0; i < len(calls); {
		j := i
		for j < len(calls) && kind(calls[j]) == kind(calls[i]) && strings.HasSuffix(kind(calls[i]), "-object") {
			j++
		}
		slices.Sort(calls[i:j])
		i = max(j, i+1)
	}
	return calls
}

// Our SuperNode and Flower's say the same to a SuperLink, and an unmodified ClientApp answers the same through both: the calls, their
// order, their fields, and each object of the replies.
func TestTheSameExchangeAsFlowers(t *testing.T) {
	theirs, theirAnswers := exchange(t, flowers)
	ours, ourAnswers := exchange(t, func(t *testing.T, l *superLink) { start(t, l, t.TempDir(), program(t), nil) })
	if !slices.Equal(ours, theirs) {
		t.Errorf("ours:\n%s\n\nFlower's:\n%s", strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
	}
	if len(ourAnswers) == 0 || !slices.Equal(ourAnswers, theirAnswers) {
		t.Errorf("the app's records are %v, through Flower's SuperNode %v", ourAnswers, theirAnswers)
	}
	if !slices.ContainsFunc(ours, func(s string) bool { return strings.Contains(s, "runtime true") }) {
		t.Error("the time that the app took is not told")
	}
}

// Flower reads our error replies as its own.
func TestFlowerReadsOurErrorReplies(t *testing.T) {
	in := &flwrpb.Message{Metadata: &flwrpb.Metadata{RunId: 5, MessageId: strings.Repeat("cd", 32), SrcNodeId: 1, DstNodeId: 9, GroupId: "3", Ttl: 100, MessageType: "train",
		CreatedAt: float64(time.Now().Unix())}}
	reply, tree, content, err := wire.ErrorReply(in, wire.ErrorCrashed, "it ended, é", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	const program = `
import base64, json, sys
from flwr.app import Message
from flwr.common.serde import message_from_proto
from flwr.proto.message_pb2 import Message as Proto
from flwr.supercore.inflatable.inflatable_object import get_object_id
from flwr.supercore.inflatable.inflatable_utils import validate_object_content
text, content = (base64.b64decode(a) for a in sys.argv[1:])
validate_object_content(content)
sent, m = message_from_proto(Proto.FromString(text)), Message.inflate(content)
assert sent.metadata.message_id == get_object_id(content) and sent.error == m.error and sent.has_error()
print(m.error.code, m.error.reason, m.metadata.run_id, m.metadata.src_node_id, m.metadata.dst_node_id, m.metadata.group_id, m.metadata.reply_to_message_id[:4], 0 < m.metadata.ttl <= 100)
`
	text, err := proto.Marshal(reply)
	if err != nil {
		t.Fatal(err)
	}
	env := testflwr.Venv(t)
	cmd := exec.CommandContext(t.Context(), env.Bin("python"), "-c", program, base64.StdEncoding.EncodeToString(text), base64.StdEncoding.EncodeToString(content))
	cmd.Env = env.Environ(t.TempDir())
	out, err := cmd.CombinedOutput()
	if want := "8 it ended, é 5 9 1 3 cdcd True\n"; err != nil || string(out) != want || tree.GetObjectId() != wire.ObjectID(content) {
		t.Errorf("%v: %s, want %s", err, out, want)
	}
}
