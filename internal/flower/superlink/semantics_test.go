package superlink_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"blossomtune/internal/flower/superlink"
	"blossomtune/internal/flower/wire/flwrpb"
)

const messageUnavailable, nodeUnavailable = 3, 5

func simpleRig(t *testing.T) *rig { return newRig(t, "sqlite:"+t.TempDir()+"/link.db") }

func (r *rig) beat(node uint64) {
	r.t.Helper()
	r.must(r.fleet("send-node-heartbeat", &flwrpb.SendNodeHeartbeatRequest{Node: &flwrpb.Node{NodeId: node}, HeartbeatInterval: 30}, nil))
}

// A reply lives no longer than its message: one that claims more, or that comes when the message's time is over, is passed over.
func TestRepliesLiveAsLongAsTheirMessages(t *testing.T) {
	r := simpleRig(t)
	n, a := r.node("one"), r.app("k")
	ask := func(ttl float64) (parcel, *flwrpb.Message) {
		p := a.askFor(n, ttl, model)
		m := r.pull(n)
		r.confirm(n, m)
		return p, m
	}
	reply := func(p parcel, ttl float64) parcel {
		out := pack(r.metadata(a.run, n, superlink.ServerID, p.id()), model)
		out.message.Metadata.Ttl = ttl
		return out
	}
	p, _ := ask(100)
	r.pass(40 * time.Second)
	if left := r.announce(n, reply(p, 60.2)); len(left) != 0 {
		t.Error("a reply that outlives its message is taken")
	}
	if left := r.announce(n, reply(p, 60.05)); len(left) == 0 { // flwr rounds
		t.Error("a reply that ends with its message is not taken")
	}
	p, _ = ask(100)
	r.beat(n)
	r.pass(40 * time.Second)
	r.beat(n)
	r.pass(60 * time.Second)
	if left := r.announce(n, reply(p, 10)); len(left) != 0 {
		t.Error("a reply to a message whose time is over is taken")
	}
	r.eventually("no error", func() bool { e := a.errorOf(p); return e != nil && e.GetCode() == messageUnavailable })
}

// askFor is ask with a time to live.
func (a *app) askFor(to uint64, ttl float64, contents ...[]byte) parcel {
	a.r.t.Helper()
	meta := a.r.metadata(a.run, superlink.ServerID, to, "")
	meta.Ttl = ttl
	p := pack(meta, contents...)
	var out flwrpb.PushAppMessagesResponse
	a.r.must(a.call("push-messages", &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{p.message},
		MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}}, &out))
	for _, id := range out.GetObjectsToPush() {
		a.push(id, p.objects[id])
	}
	return p
}

// A message that was given is given again when its answer was lost, but not to a SuperNode that is still fetching it.
func TestAMessageIsGivenAgain(t *testing.T) {
	r := simpleRig(t)
	n, a := r.node("one"), r.app("k")
	p := a.ask(n, model, large)
	if m := r.pull(n); m.GetMetadata().GetMessageId() != p.id() {
		t.Fatalf("the SuperNode got %v", m)
	}
	r.pass(superlink.GivenAgain - time.Second)
	if m := r.pull(n); m != nil {
		t.Error("it is given again at once")
	}
	if o, _ := r.object(n, a.run, p.tree.GetChildren()[0].GetObjectId()); !o.GetObjectAvailable() {
		t.Error("an object is not there")
	}
	r.pass(superlink.GivenAgain - time.Second)
	if m := r.pull(n); m != nil {
		t.Error("it is given again while the SuperNode fetches it")
	}
	r.beat(n)
	r.pass(time.Second)
	if m := r.pull(n); m.GetMetadata().GetMessageId() != p.id() {
		t.Errorf("it is not given again: %v", m)
	}
	r.confirm(n, p.message)
	r.pass(superlink.GivenAgain)
	if m := r.pull(n); m != nil {
		t.Error("a message that was confirmed is given again")
	}
}

// A push session ends when no object has come for 180 seconds, on the ServerApp's side too, and each object that comes prolongs it.
func TestPushSessionsEnd(t *testing.T) {
	const step = 170 * time.Second
	r := simpleRig(t)
	n, a := r.node("one"), r.app("k")
	slow := pack(r.metadata(a.run, superlink.ServerID, n, ""), model, large)
	never := pack(r.metadata(a.run, superlink.ServerID, n, ""), []byte("ConfigRecord  5\x00never"))
	push := func(p parcel) {
		r.must(a.call("push-messages", &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{p.message},
			MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}}, nil))
	}
	push(slow)
	push(never)
	var missing []string
	for id := range slow.objects {
		missing = append(missing, id)
	}
	for _, id := range missing {
		r.beat(n) // it stays online: the next comes within twice its interval
		for range 4 {
			r.pass(step / 4)
			r.beat(n)
		}
		a.push(id, slow.objects[id])
	}
	if m := r.pull(n); m.GetMetadata().GetMessageId() != slow.id() {
		t.Errorf("a message that was sent slowly did not arrive: %v", m)
	}
	r.eventually("a message that was never sent is not given up",
		func() bool { e := a.errorOf(never); return e != nil && e.GetCode() == messageUnavailable })
}

// A token is good until the run ends or another one is given, also after a restart.
func TestTheLifeOfATaskToken(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		a := r.app("k")
		nodes := func(a *app) int { return a.call("get-nodes", &flwrpb.GetNodesResponse{}, nil) }
		r.restart()
		r.must(nodes(a))
		task, err := r.link.Acquire(a.run)
		if err != nil {
			t.Fatal(err)
		}
		b := &app{r: r, run: a.run, token: task.Token}
		r.must(nodes(b))
		if got := nodes(a); got != http.StatusUnauthorized {
			t.Errorf("the earlier token: HTTP %d", got)
		}
		r.restart()
		if got := nodes(a); got != http.StatusUnauthorized {
			t.Errorf("the earlier token after a restart: HTTP %d", got)
		}
		r.must(b.call("push-task-output", &flwrpb.PushTaskOutputRequest{SubStatus: "odd"}, nil))
		r.must(nodes(b)) // the run goes on
		r.must(b.call("push-task-output", &flwrpb.PushTaskOutputRequest{SubStatus: superlink.Failed, Details: "it\x00 failed"}, nil))
		if got := nodes(b); got != http.StatusUnauthorized {
			t.Errorf("the token of a run that has ended: HTTP %d", got)
		}
		r.restart()
		if run := r.link.Runs()[0]; run.SubStatus != superlink.Failed || run.Details != "it\ufffd failed" {
			t.Errorf("the run ended as %+v", run)
		}
	})
}

// A ServerApp that never had its input cannot complete its run.
func TestOnlyARunThatBeganIsCompleted(t *testing.T) {
	r := simpleRig(t)
	id, err := r.link.Start(superlink.Order{Key: "k", FAB: []byte("fab")})
	if err != nil {
		t.Fatal(err)
	}
	task, err := r.link.Acquire(id)
	if err != nil {
		t.Fatal(err)
	}
	a := &app{r: r, run: id, token: task.Token}
	r.must(a.call("push-task-output", &flwrpb.PushTaskOutputRequest{SubStatus: superlink.Completed}, nil))
	if run := r.link.Runs()[0]; run.Status != superlink.Starting {
		t.Errorf("the run is %s", run.Status)
	}
	r.must(a.call("push-task-output", &flwrpb.PushTaskOutputRequest{SubStatus: superlink.Failed}, nil))
	if run := r.link.Runs()[0]; run.Status != superlink.Finished {
		t.Errorf("the run is %s", run.Status)
	}
}

// A ServerApp sees the SuperNodes that are online, and until when; a heartbeat brings one back.
func TestGetNodes(t *testing.T) {
	r := simpleRig(t)
	stays, leaves, a := r.node("stays"), r.node("leaves"), r.app("k")
	gone := r.node("gone")
	if _, err := r.link.Register([]byte("key of never"), "never", 0); err != nil {
		t.Fatal(err)
	}
	if err := r.link.Unregister(gone); err != nil {
		t.Fatal(err)
	}
	online := func() (ids []uint64, until []float64) {
		var out flwrpb.GetNodesResponse
		r.must(a.call("get-nodes", &flwrpb.GetNodesResponse{}, &out))
		for _, n := range out.GetNodes() {
			ids, until = append(ids, n.GetNodeId()), append(until, n.GetOnlineUntil()-float64(r.clock().Unix()))
		}
		return ids, until
	}
	both := []uint64{min(stays, leaves), max(stays, leaves)}
	if ids, until := online(); !slices.Equal(ids, both) || !slices.Equal(until, []float64{60, 60}) {
		t.Errorf("online are %v for %v s", ids, until)
	}
	r.pass(59 * time.Second)
	r.beat(stays)
	r.pass(2 * time.Second)
	r.eventually("the silent one stays", func() bool { ids, _ := online(); return slices.Equal(ids, []uint64{stays}) })
	r.beat(leaves)
	if ids, _ := online(); !slices.Equal(ids, both) {
		t.Errorf("after a heartbeat, online are %v", ids)
	}
	if status := r.fleet("send-node-heartbeat", &flwrpb.SendNodeHeartbeatRequest{Node: &flwrpb.Node{NodeId: gone}, HeartbeatInterval: 30},
		nil); status != http.StatusOK {
		t.Errorf("a heartbeat of one that was unregistered: HTTP %d", status)
	}
	if ids, _ := online(); slices.Contains(ids, gone) {
		t.Error("one that was unregistered came back")
	}
}

// What a ServerApp asks for before it sends it counts when it comes, also after a restart; an odd ID harms nobody, on both databases.
func TestMessagesThatAreAskedForTooEarly(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		n, a := r.node("one"), r.app("k")
		p := pack(r.metadata(a.run, superlink.ServerID, n, ""), model)
		if e := a.errorOf(p); e.GetCode() != messageUnavailable {
			t.Errorf("error %v", e)
		}
		for _, odd := range []string{"", "\x00", "x", string(make([]byte, 64))} {
			in := &flwrpb.PullAppMessagesRequest{MessageIds: []string{odd}}
			if got := a.call("pull-messages", in, nil); got != http.StatusBadRequest {
				t.Errorf("the ID %q: HTTP %d", odd, got)
			}
		}
		r.must(a.call("push-messages", &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{p.message},
			MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}}, nil))
		for id, content := range p.objects {
			a.push(id, content)
		}
		r.restart()
		if got := a.replies(p); len(got) != 0 {
			t.Errorf("the message was answered: %v", got)
		}
		m := r.pull(n)
		if m.GetMetadata().GetMessageId() != p.id() {
			t.Fatalf("the SuperNode got %v", m)
		}
		r.answer(n, m, model)
		if got := a.replies(p); len(got) != 1 || got[0].GetError() != nil {
			t.Errorf("the ServerApp got %v", got)
		}
	})
}
