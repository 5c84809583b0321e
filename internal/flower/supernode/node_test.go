package supernode_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"blossomtune/internal/flower/supernode"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// apps is a function that stands for a ClientApp's process.
type apps func(ctx context.Context, t *supernode.Task) error

// Run implements [supernode.Apps].
func (a apps) Run(ctx context.Context, t *supernode.Task) error { return a(ctx, t) }

// transport sends to a test's server; the signatures are the agent's.
func transport(l *superLink) http.RoundTripper { return l.server.Client().Transport }

// start runs a node until stop is called, which returns what it ended with.
func start(t *testing.T, l *superLink, dir string, a supernode.Apps, change func(*supernode.Options)) (stop func() error) {
	t.Helper()
	o := supernode.Options{SuperLink: l.addr(), Transport: transport(l), PublicPEM: []byte("key"), FlwrVersion: "1.42.0", Dir: dir, Apps: a,
		Log: t.Logf, Online: func(uint64) {}, Clock: time.Now}
	if change != nil {
		change(&o)
	}
	n := supernode.New(o)
	if err := n.SetConfig(map[string]any{"partition-id": int64(3), "num-partitions": int64(10)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	var result error
	done := false
	stop = func() error {
		if !done {
			cancel()
			result, done = <-ended, true
		}
		return result
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// call makes a Runtime API call as a ClientApp does.
func call(t *supernode.Task, path string, in, out proto.Message) error {
	body, err := proto.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+t.Address+"/v1/runtime/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set(wire.HeaderTaskToken, t.Token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return wire.ReadError(res)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	return proto.Unmarshal(text, out)
}

// take gets a task's input and its whole message, as a ClientApp does first.
func take(t *supernode.Task) (*flwrpb.PullTaskInputResponse, *flwrpb.Message, error) {
	in, m := new(flwrpb.PullTaskInputResponse), new(flwrpb.PullAppMessagesResponse)
	if err := call(t, "pull-task-input", &flwrpb.PullAppMessagesRequest{}, in); err != nil {
		return nil, nil, err
	}
	if err := call(t, "pull-messages", &flwrpb.PullAppMessagesRequest{}, m); err != nil {
		return nil, nil, err
	}
	ids, err := wire.TreeIDs(m.GetMessageObjectTrees()[0], 100)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		o := new(flwrpb.PullObjectResponse)
		if err := call(t, "pull-object", &flwrpb.PullObjectRequest{ObjectId: id, RunId: t.RunID}, o); err != nil {
			return nil, nil, err
		}
		if wire.ObjectID(o.GetObjectContent()) != id {
			return nil, nil, errors.New("an object is another")
		}
	}
	return in, m.GetMessagesList()[0], call(t, "confirm-message-received", &flwrpb.ConfirmMessageReceivedRequest{}, new(flwrpb.ConfirmMessageReceivedResponse))
}

// give replies with some content; change may spoil the reply.
func give(t *supernode.Task, to *flwrpb.Message, content []byte, change func(*flwrpb.Message)) error {
	in := to.GetMetadata()
	root := append([]byte("Message  0\x00reply to "+in.GetMessageId()), content[:min(len(content), 8)]...)
	m := &flwrpb.Message{Content: &flwrpb.RecordDict{}, Metadata: &flwrpb.Metadata{RunId: in.GetRunId(), MessageId: wire.ObjectID(root), SrcNodeId: in.GetDstNodeId(),
		DstNodeId: in.GetSrcNodeId(), ReplyToMessageId: in.GetMessageId(), GroupId: in.GetGroupId(), MessageType: in.GetMessageType(), Ttl: 60}}
	if change != nil {
		change(m)
	}
	tree := &flwrpb.ObjectTree{ObjectId: m.GetMetadata().GetMessageId(), Children: []*flwrpb.ObjectTree{{ObjectId: wire.ObjectID(content)}}}
	out := new(flwrpb.PushAppMessagesResponse)
	if err := call(t, "push-messages", &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{m}, MessageObjectTrees: []*flwrpb.ObjectTree{tree}}, out); err != nil {
		return err
	}
	for _, part := range [][]byte{root, content} {
		in := &flwrpb.PushObjectRequest{ObjectId: wire.ObjectID(part), ObjectContent: part, RunId: t.RunID, SessionId: out.GetSessionId()}
		stored := new(flwrpb.PushObjectResponse)
		if err := call(t, "push-object", in, stored); err != nil {
			return err
		}
		if !stored.GetStored() {
			return errors.New("an object was not stored")
		}
	}
	return nil
}

// echo answers each message with some content.
func echo(content []byte) apps {
	return func(_ context.Context, t *supernode.Task) error {
		_, m, err := take(t)
		if err != nil {
			return err
		}
		return give(t, m, content, nil)
	}
}

// However an app ends, its message gets one reply, and the next message is taken.
func TestEveryMessageIsAnsweredOnce(t *testing.T) {
	foreign := func(m *flwrpb.Message) { m.Metadata.ReplyToMessageId = strings.Repeat("0", 64) }
	for name, c := range map[string]struct {
		app    apps
		code   int64
		reason string
	}{
		"nothing": {func(context.Context, *supernode.Task) error { return nil }, wire.ErrorCrashed, "The ClientApp ended without a reply."},
		"a cause": {func(context.Context, *supernode.Task) error {
			return &supernode.AppError{Code: 1, Reason: "It cannot be loaded."}
		}, 1, "It cannot be loaded."},
		"any error":       {func(context.Context, *supernode.Task) error { return errors.New("no disk") }, wire.ErrorUnknown, "The participant's SuperNode could not handle the message: no disk."},
		"half a reply":    {half, wire.ErrorCrashed, "The ClientApp ended without a reply."},
		"a foreign reply": {func(_ context.Context, t *supernode.Task) error { return swallow(spoiled(t, foreign)) }, wire.ErrorCrashed, "The ClientApp ended without a reply."},
		"another sender": {func(_ context.Context, t *supernode.Task) error {
			return swallow(spoiled(t, func(m *flwrpb.Message) { m.Metadata.SrcNodeId++ }))
		}, wire.ErrorCrashed, "The ClientApp ended without a reply."},
		"another type": {func(_ context.Context, t *supernode.Task) error {
			return swallow(spoiled(t, func(m *flwrpb.Message) { m.Metadata.MessageType = "" }))
		}, wire.ErrorCrashed, "The ClientApp ended without a reply."},
		"nothing in it": {func(_ context.Context, t *supernode.Task) error {
			return swallow(spoiled(t, func(m *flwrpb.Message) { m.Content = nil }))
		}, wire.ErrorCrashed, "The ClientApp ended without a reply."},
		"another receiver": {func(_ context.Context, t *supernode.Task) error {
			return swallow(spoiled(t, func(m *flwrpb.Message) { m.Metadata.DstNodeId++ }))
		}, wire.ErrorCrashed, "The ClientApp ended without a reply."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newSuperLink(t, fab(t))
			var turn atomic.Int32
			start(t, l, t.TempDir(), apps(func(ctx context.Context, task *supernode.Task) error {
				if turn.Add(1) == 2 {
					return echo([]byte("fine"))(ctx, task)
				}
				return c.app(ctx, task)
			}), nil)
			first := l.give("one")
			got := l.reply(1)
			if got.GetError().GetCode() != c.code || got.GetError().GetReason() != c.reason || got.GetMetadata().GetReplyToMessageId() != first.GetMetadata().GetMessageId() {
				t.Errorf("%v", got)
			}
			second := l.give("two")
			if got := l.reply(2); got.GetError() != nil || got.GetMetadata().GetReplyToMessageId() != second.GetMetadata().GetMessageId() {
				t.Errorf("%v", got)
			}
			if n := len(l.replies); n != 2 {
				t.Errorf("%d replies to 2 messages", n)
			}
		})
	}
}

func swallow(err error) error {
	if err == nil {
		return errors.New("a reply that is not to this message was taken")
	}
	return nil
}

func spoiled(t *supernode.Task, change func(*flwrpb.Message)) error {
	_, m, err := take(t)
	if err != nil {
		return nil //nolint:nilerr // then the test fails by its reason
	}
	return give(t, m, []byte("x"), change)
}

// half announces a reply and sends none of its objects.
func half(_ context.Context, t *supernode.Task) error {
	_, m, err := take(t)
	if err != nil {
		return err
	}
	id := wire.ObjectID([]byte("never sent"))
	r := &flwrpb.Message{Content: &flwrpb.RecordDict{}, Metadata: &flwrpb.Metadata{RunId: runID, MessageType: "train", MessageId: id, SrcNodeId: nodeID, DstNodeId: 1, ReplyToMessageId: m.GetMetadata().GetMessageId()}}
	return call(t, "push-messages", &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{r}, MessageObjectTrees: []*flwrpb.ObjectTree{{ObjectId: id}}}, new(flwrpb.PushAppMessagesResponse))
}

// A second reply is refused, and so is any call with the token of a task that has ended.
func TestOneReplyAndOneLife(t *testing.T) {
	l := newSuperLink(t, fab(t))
	tasks := make(chan *supernode.Task, 1)
	second := make(chan error, 1)
	start(t, l, t.TempDir(), apps(func(_ context.Context, task *supernode.Task) error {
		_, m, err := take(task)
		if err != nil {
			return err
		}
		if err := give(task, m, []byte("one"), nil); err != nil {
			return err
		}
		second <- give(task, m, []byte("two"), nil)
		tasks <- task
		return nil
	}), nil)
	l.give("one")
	l.reply(1)
	if err := <-second; err == nil {
		t.Error("a second reply was taken")
	}
	task := <-tasks
	l.give("two") // is handled when the first task has ended
	l.reply(2)
	if err := call(task, "send-task-heartbeat", &flwrpb.PullAppMessagesRequest{}, new(flwrpb.SendTaskHeartbeatResponse)); !wire.IsStatus(err, http.StatusUnauthorized) {
		t.Errorf("a token that has ended: %v", err)
	}
}

// When a run ends, its ClientApp is told within seconds, no reply is sent, and the next message is served.
func TestARunThatEndsFreesTheNode(t *testing.T) {
	l := newSuperLink(t, fab(t))
	var turn atomic.Int32
	told := make(chan time.Time, 1)
	start(t, l, t.TempDir(), apps(func(ctx context.Context, task *supernode.Task) error {
		if turn.Add(1) == 1 {
			l.change(func() { l.over = true })
			<-ctx.Done()
			told <- time.Now()
			return context.Cause(ctx)
		}
		return echo([]byte("x"))(ctx, task)
	}), nil)
	began := time.Now()
	l.give("one")
	if took := (<-told).Sub(began); took > 10*time.Second {
		t.Errorf("its ClientApp is told after %s", took)
	}
	l.change(func() { l.over = false })
	second := l.give("two")
	if got := l.reply(1); got.GetMetadata().GetReplyToMessageId() != second.GetMetadata().GetMessageId() || got.GetError() != nil {
		t.Errorf("%v", got)
	}
}

// A node that is stopped answers what it works on; one that is killed answers when it is back.
func TestNoMessageIsForgotten(t *testing.T) {
	l, dir := newSuperLink(t, fab(t)), t.TempDir()
	hangs := apps(func(ctx context.Context, _ *supernode.Task) error { <-ctx.Done(); return context.Cause(ctx) })
	stop := start(t, l, dir, hangs, nil)
	l.give("one")
	l.until("it is confirmed", func() bool { return strings.Contains(strings.Join(l.calls, " "), "confirm-message-received") })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := l.reply(1); got.GetError().GetReason() != "The participant stopped the SuperNode while it worked on this message." {
		t.Errorf("%v", got)
	}
	if calls := l.seen(); !strings.HasPrefix(calls[len(calls)-1], "deactivate-node") {
		t.Errorf("the last call is %s", calls[len(calls)-1])
	}
	left := &flwrpb.Message{Metadata: &flwrpb.Metadata{RunId: runID, MessageId: strings.Repeat("ab", 32), SrcNodeId: 1, DstNodeId: nodeID, Ttl: 600, CreatedAt: float64(time.Now().Unix())}}
	text, err := proto.Marshal(left)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{left.GetMetadata().GetMessageId(): text, "garbage": []byte("x")} {
		if err := os.WriteFile(filepath.Join(dir, "taken", name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start(t, l, dir, hangs, nil)
	if got := l.reply(2); got.GetMetadata().GetReplyToMessageId() != left.GetMetadata().GetMessageId() || got.GetError().GetCode() != wire.ErrorCrashed {
		t.Errorf("%v", got)
	}
	l.until("nothing is noted any more", func() bool {
		entries, err := os.ReadDir(filepath.Join(dir, "taken"))
		return err == nil && len(entries) == 0
	})
}

// Code and objects that are not what their hashes say are never used.
func TestNothingIsUsedThatHasAnotherHash(t *testing.T) {
	t.Run("app", func(t *testing.T) {
		l := newSuperLink(t, fab(t))
		l.fab = append([]byte("PK\x03\x04 another app "), l.fab...)
		start(t, l, t.TempDir(), apps(func(context.Context, *supernode.Task) error { t.Error("it was started"); return nil }), nil)
		l.give("one")
		if got := l.reply(1); got.GetError().GetCode() != wire.ErrorInvalidFAB {
			t.Errorf("%v", got)
		}
	})
	t.Run("object", func(t *testing.T) {
		l := newSuperLink(t, fab(t))
		start(t, l, t.TempDir(), apps(func(ctx context.Context, task *supernode.Task) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}), nil)
		m := l.give("one")
		l.change(func() { l.objects[m.GetMetadata().GetMessageId()] = []byte("something else") })
		if got := l.reply(1); !strings.Contains(got.GetError().GetReason(), "does not match its name") {
			t.Errorf("%v", got)
		}
	})
}

// A SuperLink that is away, busy or restarted costs time alone: no message is lost and none answered twice.
func TestFaultsOfTheSuperLinkCostTimeAlone(t *testing.T) {
	l := newSuperLink(t, fab(t))
	seen := map[string]int{}
	l.fault = func(path string, _ []byte) int {
		if seen[path]++; path != "/v1/fleet/pull-messages" && seen[path] <= 3 {
			return []int{http.StatusServiceUnavailable, http.StatusInternalServerError, http.StatusBadGateway}[seen[path]-1]
		}
		return 0
	}
	start(t, l, t.TempDir(), echo([]byte("x")), nil)
	l.give("one")
	if got := l.reply(1); got.GetError() != nil || len(l.replies) != 1 {
		t.Errorf("%v", l.replies)
	}
}

// A refusal is final, whichever call meets it.
func TestARefusalEndsTheNode(t *testing.T) {
	for _, path := range []string{"activate-node", "pull-messages", "push-messages"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			l := newSuperLink(t, fab(t))
			l.fault = func(p string, _ []byte) int {
				if strings.HasSuffix(p, path) {
					return http.StatusUnauthorized
				}
				return 0
			}
			n := supernode.New(supernode.Options{SuperLink: l.addr(), Transport: transport(l), Dir: t.TempDir(), Apps: echo([]byte("x")), Log: t.Logf, Online: func(uint64) {}, Clock: time.Now})
			ended := make(chan error, 1)
			go func() { ended <- n.Run(t.Context()) }()
			if path == "push-messages" {
				l.give("one")
			}
			select {
			case err := <-ended:
				if !errors.Is(err, supernode.ErrRefused) {
					t.Error(err)
				}
			case <-time.After(20 * time.Second):
				t.Error("it goes on")
			}
		})
	}
}

// A large reply passes through files, and a Context is there again after a restart and in the next run of its series.
func TestLargeRepliesAndContexts(t *testing.T) {
	l, dir := newSuperLink(t, fab(t)), t.TempDir()
	large := bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16)
	states := make(chan string, 4)
	app := apps(func(_ context.Context, task *supernode.Task) error {
		in, m, err := take(task)
		if err != nil {
			return err
		}
		c := in.GetContext()
		states <- fmt.Sprintf("run %d, state %x, rate %v, limit %v, first %v, partition %v", c.GetRunId(), c.GetState().ProtoReflect().GetUnknown(), c.GetRunConfig()["rate"].GetDouble(),
			c.GetRunConfig()["limit"].GetDouble(), c.GetRunConfig()["layers.first"].GetSint64(), c.GetNodeConfig()["partition-id"].GetSint64())
		if err := give(task, m, large, nil); err != nil {
			return err
		}
		c.GetState().ProtoReflect().SetUnknown([]byte{0x0a, 0x02, 0x0a, 0x00})
		return call(task, "push-task-output", &flwrpb.PushTaskOutputRequest{Context: c, SubStatus: "completed"}, new(flwrpb.PushTaskOutputResponse))
	})
	expect := func(want string) {
		t.Helper()
		if got := <-states; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	stop := start(t, l, dir, app, nil)
	l.give("one")
	expect("run 42, state , rate 0.25, limit +Inf, first 3, partition 3")
	l.reply(1)
	if got := l.received[wire.ObjectID(large)]; !bytes.Equal(got, large) {
		t.Errorf("%d bytes arrived of %d", len(got), len(large))
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "spool", "*", "*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	start(t, l, dir, app, nil)
	l.give("two")
	expect("run 42, state 0a020a00, rate 0.25, limit +Inf, first 3, partition 3")
}

// Messages are handled one at a time, or as many at a time as the owner says.
func TestParallel(t *testing.T) {
	for _, parallel := range []int{1, 3} {
		t.Run(fmt.Sprint(parallel), func(t *testing.T) {
			t.Parallel()
			l := newSuperLink(t, fab(t))
			var now, most atomic.Int32
			together := make(chan struct{}, 8)
			start(t, l, t.TempDir(), apps(func(ctx context.Context, task *supernode.Task) error {
				if n := now.Add(1); n > most.Load() {
					most.Store(n)
				}
				together <- struct{}{}
				if parallel > 1 { // the first ones wait for each other
					for len(together) < parallel {
						select {
						case <-ctx.Done():
							return context.Cause(ctx)
						case <-time.After(time.Millisecond):
						}
					}
				}
				_, m, err := take(task)
				if err == nil {
					now.Add(-1)
					err = give(task, m, []byte("x"), nil)
				}
				return err
			}), func(o *supernode.Options) { o.Parallel = parallel })
			for i := range 4 {
				l.give(fmt.Sprint(i))
			}
			l.reply(4)
			if most.Load() != int32(parallel) {
				t.Errorf("%d at a time, want %d", most.Load(), parallel)
			}
		})
	}
}

// A reply that the SuperLink does not accept, or cannot handle, is answered with an error in its place.
func TestAReplyThatIsNotAccepted(t *testing.T) {
	for name, spoil := range map[string]func(l *superLink){
		"refused": func(l *superLink) { l.picky = true },
		"fails always": func(l *superLink) {
			first := ""
			l.fault = func(path string, body []byte) int {
				if !strings.HasSuffix(path, "push-messages") {
					return 0
				}
				if first == "" {
					first = string(body)
				}
				if string(body) == first {
					return http.StatusInternalServerError
				}
				return 0
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newSuperLink(t, fab(t))
			spoil(l)
			start(t, l, t.TempDir(), echo([]byte("x")), nil)
			l.give("one")
			if got := l.reply(1); got.GetError() == nil {
				t.Errorf("%v", got)
			}
		})
	}
}

// A message whose name is not the hash of its object is not touched: its name would be the name of a file.
func TestAMessageWithAnotherName(t *testing.T) {
	l, dir := newSuperLink(t, fab(t)), t.TempDir()
	victim := filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("untouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, l, filepath.Join(dir, "node"), echo([]byte("x")), nil)
	bad := &flwrpb.Message{Metadata: &flwrpb.Metadata{RunId: runID, MessageId: "../../victim", SrcNodeId: 1, DstNodeId: nodeID, Ttl: 60}}
	l.change(func() { l.waiting = append(l.waiting, given{bad, &flwrpb.ObjectTree{ObjectId: "../../victim"}}) })
	good := l.give("two")
	if got := l.reply(1); got.GetMetadata().GetReplyToMessageId() != good.GetMetadata().GetMessageId() {
		t.Errorf("%v", got)
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "untouched" {
		t.Errorf("the file is %q, %v", text, err)
	}
}

// ClientApps that never end after their replies do not pile up.
func TestAppsThatLingerAreEnded(t *testing.T) {
	l := newSuperLink(t, fab(t))
	var alive atomic.Int32
	start(t, l, t.TempDir(), apps(func(ctx context.Context, task *supernode.Task) error {
		alive.Add(1)
		defer alive.Add(-1)
		_, m, err := take(task)
		if err == nil {
			err = give(task, m, []byte("x"), nil)
		}
		if err == nil {
			err = call(task, "push-task-output", &flwrpb.PushTaskOutputRequest{SubStatus: "completed"}, new(flwrpb.PushTaskOutputResponse))
		}
		if err != nil {
			return err
		}
		<-ctx.Done()
		return context.Cause(ctx)
	}), nil)
	for i := range 4 {
		l.give(fmt.Sprint(i))
		l.reply(i + 1)
	}
	l.until("at most the last one is left", func() bool { return alive.Load() <= 1 })
}

// A message that comes again while it is being handled is handled once.
func TestAMessageThatComesAgainIsHandledOnce(t *testing.T) {
	l := newSuperLink(t, fab(t))
	var starts atomic.Int32
	first, goOn := make(chan struct{}), make(chan struct{})
	app := apps(func(_ context.Context, task *supernode.Task) error {
		if starts.Add(1) == 1 {
			close(first)
		}
		<-goOn
		_, m, err := take(task)
		if err != nil {
			return err
		}
		return give(task, m, []byte("content"), nil)
	})
	stop := start(t, l, t.TempDir(), app, func(o *supernode.Options) { o.Parallel = 2 })
	l.give("one")
	<-first
	l.give("one")
	l.until("the message was sent twice", func() bool { return len(l.waiting) == 0 })
	l.give("two") // which the slot that got the message again takes
	l.until("another message was taken", func() bool { return len(l.waiting) == 0 })
	close(goOn)
	l.reply(2)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if n := starts.Load(); n != 2 || len(l.replies) != 2 {
		t.Errorf("%d ClientApps and %d replies for two messages", n, len(l.replies))
	}
}
