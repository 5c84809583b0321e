package superlink_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"blossomtune/internal/flower/superlink"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

var (
	model = []byte("ArrayRecord  5\x00model")
	large = append([]byte("Array  200000\x00"), bytes.Repeat([]byte("w"), 200_000)...)
)

// A message and its reply reach each other whole, with small and large objects, and leave nothing behind.
func TestAMessageAndItsReply(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		node, a := r.node("one"), r.app("k")
		p := a.ask(node, model, large)
		m := r.pull(node)
		if m.GetMetadata().GetMessageId() != p.id() {
			t.Fatalf("the SuperNode got %v", m)
		}
		for id, content := range p.objects {
			if o, _ := r.object(node, a.run, id); !bytes.Equal(o.GetObjectContent(), content) {
				t.Errorf("object %.8s has %d bytes", id, len(o.GetObjectContent()))
			}
		}
		if got := a.replies(p); len(got) != 0 {
			t.Errorf("a reply before there is one: %v", got)
		}
		reply := r.answer(node, m, model, large)
		got := a.replies(p)
		if len(got) != 1 || got[0].GetMetadata().GetMessageId() != reply.id() {
			t.Fatalf("the ServerApp got %v", got)
		}
		a.confirm(reply.id())
		if left := r.rows(); left != 0 {
			t.Errorf("%d rows and files are left", left)
		}
	})
}

// rows counts the messages, objects and files that are stored.
func (r *rig) rows() int {
	r.t.Helper()
	s, err := r.store.Load(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	r.restart() // which removes files that nothing needs
	files, err := os.ReadDir(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	return len(s.Letters) + len(s.Objects) + len(files)
}

// The SuperLink is killed after every call of an exchange; nothing is lost, and what is repeated changes nothing.
func TestAnExchangeSurvivesARestartAtEachStep(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		node, a := r.node("one"), r.app("k")
		r.restart()
		if same, err := r.link.Start(superlink.Order{Key: "k", FAB: []byte("a FAB k")}); err != nil || same != a.run {
			t.Fatalf("the run began twice: %d %d %v", a.run, same, err)
		}
		p := pack(r.metadata(a.run, superlink.ServerID, node, ""), model, large)
		push := &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{p.message}, MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}}
		for want := 3; want >= 0; want-- { // each restart comes after one object more
			var out flwrpb.PushAppMessagesResponse
			r.must(a.call("push-messages", push, &out))
			if len(out.GetObjectsToPush()) != want {
				t.Fatalf("%d objects to push, want %d", len(out.GetObjectsToPush()), want)
			}
			if want > 0 {
				if r.pull(node) != nil {
					t.Fatal("a message was given before all of it was here")
				}
				a.push(out.GetObjectsToPush()[0], p.objects[out.GetObjectsToPush()[0]])
			}
			r.restart()
		}
		first := r.pull(node)
		r.restart()
		r.pass(superlink.GivenAgain)
		m := r.pull(node) // the answer to the first poll was lost
		if m.GetMetadata().GetMessageId() != first.GetMetadata().GetMessageId() {
			t.Fatalf("after a lost answer: %v", m)
		}
		r.confirm(node, m)
		r.restart()
		reply := pack(r.metadata(a.run, node, superlink.ServerID, p.id()), model, large)
		reply.message.Metadata.Ttl = 100
		for want := 3; want >= 0; want-- {
			left := r.announce(node, reply)
			if len(left) != want {
				t.Fatalf("%d objects of the reply to push, want %d", len(left), want)
			}
			if want > 0 {
				if len(a.replies(p)) != 0 {
					t.Fatal("a reply was given before all of it was here")
				}
				if stored, status := r.send(node, a.run, left[0], reply.objects[left[0]]); !stored {
					t.Fatalf("an object was not stored: HTTP %d", status)
				}
			}
			r.restart()
		}
		for range 2 { // given again until it is confirmed
			if got := a.replies(p); len(got) != 1 || got[0].GetMetadata().GetMessageId() != reply.id() {
				t.Fatalf("the ServerApp got %v", got)
			}
			r.restart()
		}
		a.confirm(reply.id())
		r.restart()
		r.must(a.call("push-task-output", &flwrpb.PushTaskOutputRequest{SubStatus: superlink.Completed}, nil))
		r.restart()
		if run := r.link.Runs()[0]; run.Status != superlink.Finished || run.SubStatus != superlink.Completed || run.ClientSeconds != 1.5 {
			t.Errorf("the run ended as %+v", run)
		}
		if left := r.rows(); left != 0 {
			t.Errorf("%d rows and files are left", left)
		}
	})
}

// errorOf polls and returns the one error that came; nil: none.
func (a *app) errorOf(p parcel) *flwrpb.Error {
	a.r.t.Helper()
	for _, m := range a.replies(p) {
		return m.GetError()
	}
	return nil
}

// tick lets the SuperLink do what time brings, and waits until it has.
func (r *rig) eventually(what string, is func() bool) {
	r.t.Helper()
	limit := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-limit:
			r.t.Fatal(what)
		case <-tick.C:
		}
	}
}

// A message that cannot be answered is answered with an error that says why.
func TestErrorReplies(t *testing.T) {
	is := func(a *app, p parcel, code int64) func() bool {
		return func() bool { e := a.errorOf(p); return e != nil && e.GetCode() == code }
	}
	each(t, func(t *testing.T, r *rig) {
		a := r.app("k")
		t.Run("the SuperNode says goodbye", func(t *testing.T) {
			n := r.node("bye")
			p := a.ask(n, model)
			r.must(r.fleet("deactivate-node", &flwrpb.DeactivateNodeRequest{NodeId: n}, nil))
			r.eventually("no error", is(a, p, nodeUnavailable))
			if again := r.fleet("deactivate-node", &flwrpb.DeactivateNodeRequest{NodeId: n}, nil); again != http.StatusPreconditionFailed {
				t.Errorf("a second goodbye: HTTP %d", again)
			}
			r.eventually("a message to a SuperNode that is offline is not answered", is(a, a.ask(n, model), nodeUnavailable))
		})
		t.Run("no heartbeat", func(t *testing.T) {
			p := a.ask(r.node("silent"), model)
			r.pass(61 * time.Second)
			r.eventually("no error", is(a, p, nodeUnavailable))
		})
		t.Run("the SuperNode is started again", func(t *testing.T) {
			n := r.node("again")
			taken, given := a.ask(n, model), a.ask(n, large)
			r.confirm(n, r.pull(n))
			if r.pull(n).GetMetadata().GetMessageId() != given.id() {
				t.Fatal("the second message was not given")
			}
			r.activate("again")
			r.eventually("the message that the SuperNode had taken is not answered", is(a, taken, nodeUnavailable))
			if m := r.pull(n); m.GetMetadata().GetMessageId() != given.id() {
				t.Errorf("the message that it had not confirmed is not given again: %v", m)
			}
		})
		t.Run("the reply never comes whole", func(t *testing.T) {
			n := r.node("half")
			p := a.ask(n, model)
			m := r.pull(n)
			r.confirm(n, m)
			r.announce(n, pack(r.metadata(a.run, n, superlink.ServerID, p.id()), large))
			for range 5 {
				r.pass(40 * time.Second)
				r.must(r.fleet("send-node-heartbeat", &flwrpb.SendNodeHeartbeatRequest{Node: &flwrpb.Node{NodeId: n}, HeartbeatInterval: 30}, nil))
			}
			r.eventually("no error", is(a, p, messageUnavailable))
		})
		t.Run("the message expires", func(t *testing.T) {
			n := r.node("slow")
			meta := r.metadata(a.run, superlink.ServerID, n, "")
			meta.Ttl = 5
			p := pack(meta, model)
			var out flwrpb.PushAppMessagesResponse
			r.must(a.call("push-messages", &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{p.message},
				MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}}, &out))
			r.pass(6 * time.Second)
			r.eventually("no error", is(a, p, messageUnavailable))
		})
		t.Run("nobody knows it", func(t *testing.T) {
			p := pack(r.metadata(a.run, superlink.ServerID, 99, ""), model)
			if e := a.errorOf(p); e.GetCode() != messageUnavailable {
				t.Errorf("error %v", e)
			}
			if a, b := a.replies(p), a.replies(p); a[0].GetMetadata().GetMessageId() != b[0].GetMetadata().GetMessageId() {
				t.Error("each poll makes another error")
			}
		})
	})
}

// A SuperNode and a ServerApp get nothing that is not theirs.
func TestNobodyGetsWhatIsNotTheirs(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		one, two, a, b := r.node("one"), r.node("two"), r.app("a"), r.app("b")
		p := a.ask(one, []byte("ConfigRecord  6\x00secret"))
		secret := p.tree.GetChildren()[0].GetObjectId()
		if o, status := r.object(two, a.run, secret); status != http.StatusOK || o.GetObjectFound() {
			t.Errorf("another SuperNode got an object: HTTP %d %v", status, o)
		}
		if o, status := r.object(one, b.run, secret); status != http.StatusOK || o.GetObjectFound() {
			t.Errorf("an object came under another run: HTTP %d %v", status, o)
		}
		var o flwrpb.PullObjectResponse
		r.must(b.call("pull-object", &flwrpb.PullObjectRequest{Node: &flwrpb.Node{NodeId: 1}, RunId: a.run, ObjectId: secret}, &o))
		if o.GetObjectFound() {
			t.Error("another run's ServerApp got an object")
		}
		if got := b.replies(p); len(got) != 1 || got[0].GetError() == nil {
			t.Errorf("another run's ServerApp asked for a reply and got %v", got)
		}
		m := r.pull(one)
		forged := pack(r.metadata(a.run, two, superlink.ServerID, m.GetMetadata().GetMessageId()), model)
		forged.message.Metadata.Ttl = 10
		if left := r.announce(two, forged); len(left) != 0 || len(a.replies(p)) != 0 {
			t.Error("another SuperNode answered")
		}
		r.answer(one, m, model)
		if len(a.replies(p)) != 1 {
			t.Error("the SuperNode that was asked could not answer")
		}
	})
}

// Refusals have Flower's statuses: its clients act on them.
func TestRefusals(t *testing.T) {
	r := newRig(t, "sqlite:"+t.TempDir()+"/link.db")
	n, a := r.node("one"), r.app("k")
	node := &flwrpb.Node{NodeId: n}
	stranger := &app{r: r, run: a.run, token: "nobody's"}
	p := a.ask(n, model)
	m := r.pull(n)
	for name, c := range map[string]struct{ got, want int }{
		"unknown key":        {r.fleet("activate-node", &flwrpb.ActivateNodeRequest{PublicKey: []byte("?"), HeartbeatInterval: 30}, nil), 412},
		"heartbeat interval": {r.fleet("send-node-heartbeat", &flwrpb.SendNodeHeartbeatRequest{Node: node, HeartbeatInterval: 1}, nil), 400},
		"run unknown":        {r.fleet("get-run", &flwrpb.GetRunRequest{Node: node, RunId: 9}, nil), 403},
		"other FAB":          {r.fleet("get-fab", &flwrpb.GetFabRequest{Node: node, RunId: a.run, HashStr: "x"}, nil), 403},
		"poll of a stranger": {r.fleet("pull-messages", &flwrpb.PullMessagesRequest{Node: &flwrpb.Node{NodeId: 3}}, nil), 401},
		"no such call":       {r.fleet("register-node", &flwrpb.RegisterNodeFleetRequest{}, nil), 404},
		"token":              {stranger.call("get-nodes", &flwrpb.GetNodesResponse{}, nil), 401},
		"acquire-task":       {a.call("acquire-task", &flwrpb.AcquireTaskRequest{}, nil), 404},
		"no message":         {a.call("push-messages", &flwrpb.PushAppMessagesRequest{}, nil), 400},
		"node number":        {a.call("push-object", &flwrpb.PushObjectRequest{Node: node, ObjectId: wire.ObjectID(nil)}, nil), 412},
	} {
		if c.got != c.want {
			t.Errorf("%s: HTTP %d, want %d", name, c.got, c.want)
		}
	}
	if _, status := r.send(n, a.run, p.id(), []byte("something else")); status != http.StatusBadRequest {
		t.Errorf("an object under another's name: HTTP %d", status)
	}
	if err := r.link.Stop(a.run); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]int{
		"get-run": r.fleet("get-run", &flwrpb.GetRunRequest{Node: node, RunId: a.run}, nil),
		"confirm": r.fleet("confirm-message-received", &flwrpb.ConfirmMessageReceivedRequest{Node: node, RunId: a.run,
			MessageObjectId: m.GetMetadata().GetMessageId()}, nil),
		"announce": r.fleet("push-messages", &flwrpb.PushMessagesRequest{Node: node, MessagesList: []*flwrpb.Message{p.message},
			MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}}, nil),
	} {
		if got != http.StatusForbidden {
			t.Errorf("%s for a run that was stopped: HTTP %d", name, got)
		}
	}
	if got := a.call("get-nodes", &flwrpb.GetNodesResponse{}, nil); got != http.StatusUnauthorized {
		t.Errorf("the token of a run that was stopped: HTTP %d", got)
	}
	if _, err := r.link.Acquire(a.run); err == nil {
		t.Error("a run that was stopped was given a ServerApp")
	}
}

// A poll that is held open ends when there is a message for its SuperNode, and only then; meanwhile the SuperNode cannot start again.
func TestAPollIsHeld(t *testing.T) {
	r := newRig(t, "sqlite:"+t.TempDir()+"/link.db")
	one, two, a := r.node("one"), r.node("two"), r.app("k")
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	held := func(node uint64) <-chan *flwrpb.PullMessagesResponse {
		done := make(chan *flwrpb.PullMessagesResponse, 1)
		body, _ := proto.Marshal(&flwrpb.PullMessagesRequest{Node: &flwrpb.Node{NodeId: node}})
		req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/fleet/pull-messages", bytes.NewReader(body))
		req.Header.Set(superlink.HeaderHold, "60000")
		go func() {
			w, out := httptest.NewRecorder(), &flwrpb.PullMessagesResponse{}
			r.link.FleetHandler().ServeHTTP(w, req)
			_ = proto.Unmarshal(w.Body.Bytes(), out)
			done <- out
		}()
		return done
	}
	activate := func(name string) int {
		return r.fleet("activate-node", &flwrpb.ActivateNodeRequest{PublicKey: []byte("key of " + name), HeartbeatInterval: 30}, nil)
	}
	first, second := held(one), held(two)
	r.eventually("no poll is held", func() bool { return activate("one") == 412 && activate("two") == 412 })
	p := a.ask(two, model)
	if out := <-second; len(out.GetMessagesList()) != 1 || out.GetMessagesList()[0].GetMetadata().GetMessageId() != p.id() {
		t.Errorf("the poll brought %v", out)
	}
	select {
	case out := <-first:
		t.Errorf("the poll of another SuperNode ended with %v", out)
	default:
	}
	leave()
	<-first
	r.must(activate("one"))
}

// A store that refuses a change breaks the SuperLink; another one opens where the store stands.
func TestABrokenStore(t *testing.T) {
	r := newRig(t, "sqlite:"+t.TempDir()+"/link.db")
	n, a := r.node("one"), r.app("k")
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	p := pack(r.metadata(a.run, superlink.ServerID, n, ""), model)
	push := &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{p.message}, MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}}
	if got := a.call("push-messages", push, nil); got != http.StatusServiceUnavailable {
		t.Errorf("HTTP %d", got)
	}
	<-r.link.Broken()
	if got := a.call("get-nodes", &flwrpb.GetNodesResponse{}, nil); got != http.StatusServiceUnavailable {
		t.Errorf("after the failure: HTTP %d", got)
	}
	r.link.Close()
	r.open()
	r.must(a.call("push-messages", push, nil))
}
