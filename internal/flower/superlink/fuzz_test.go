package superlink

import (
	"net/http"
	"testing"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

var fleetNames = []string{"activate-node", "deactivate-node", "send-node-heartbeat", "pull-messages", "push-messages", "get-run", "get-fab",
	"push-object", "pull-object", "confirm-message-received", "register-node"}

// fleetCalls are valid calls of the Fleet API, one after another for each name.
func fleetCalls() (names []string, calls []proto.Message) {
	add := func(name string, m proto.Message) { names, calls = append(names, name), append(calls, m) }
	for _, n := range []uint64{nodeA, nodeB} {
		add("deactivate-node", &flwrpb.DeactivateNodeRequest{NodeId: n})
		add("send-node-heartbeat", &flwrpb.SendNodeHeartbeatRequest{Node: nodeOf(n), HeartbeatInterval: 20})
		add("pull-messages", &flwrpb.PullMessagesRequest{Node: nodeOf(n)})
	}
	add("activate-node", &flwrpb.ActivateNodeRequest{PublicKey: []byte("key 11"), HeartbeatInterval: 30})
	add("get-run", &flwrpb.GetRunRequest{Node: nodeOf(nodeA), RunId: runOne})
	add("get-fab", &flwrpb.GetFabRequest{Node: nodeOf(nodeA), RunId: runOne, HashStr: wire.ObjectID([]byte(fabContent))})
	for _, i := range []int{4, 0, 3} {
		p := answers[i]
		m := p.message.GetMetadata()
		add("push-messages", &flwrpb.PushMessagesRequest{Node: nodeOf(m.GetSrcNodeId()), MessagesList: []*flwrpb.Message{p.message},
			MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}, ClientappRuntimeList: []float64{1}})
		for _, id := range p.ids {
			add("push-object", pushed1(m.GetRunId(), m.GetSrcNodeId(), id, p.objects[id]))
		}
	}
	add("pull-object", &flwrpb.PullObjectRequest{Node: nodeOf(nodeA), RunId: runOne, ObjectId: asked[0].ids[1]})
	add("confirm-message-received", &flwrpb.ConfirmMessageReceivedRequest{Node: nodeOf(nodeA), RunId: runOne, MessageObjectId: asked[0].id()})
	add("confirm-message-received", &flwrpb.ConfirmMessageReceivedRequest{Node: nodeOf(nodeA), RunId: runOne, MessageObjectId: asked[1].id()})
	return names, calls
}

var runtimeNames = []string{"send-task-heartbeat", "push-logs", "pull-task-input", "push-task-output", "get-nodes", "push-messages",
	"pull-messages", "push-object", "pull-object", "confirm-message-received", "acquire-task"}

// runtimeCalls are valid calls of the Runtime API by the first run.
func runtimeCalls() (names []string, calls []proto.Message) {
	add := func(name string, m proto.Message) { names, calls = append(names, name), append(calls, m) }
	for _, name := range []string{"send-task-heartbeat", "push-logs", "pull-task-input", "get-nodes"} {
		add(name, &flwrpb.GetNodesResponse{})
	}
	add("push-task-output", &flwrpb.PushTaskOutputRequest{SubStatus: Completed, Details: "well"})
	add("push-task-output", &flwrpb.PushTaskOutputRequest{SubStatus: "\x00", Details: "\x00"})
	push := &flwrpb.PushAppMessagesRequest{}
	for _, p := range asked[:4] {
		push.MessagesList, push.MessageObjectTrees = append(push.MessagesList, p.message), append(push.MessageObjectTrees, p.tree)
		add("push-messages", &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{p.message},
			MessageObjectTrees: []*flwrpb.ObjectTree{p.tree}})
		for _, id := range p.ids {
			add("push-object", pushed1(0, ServerID, id, p.objects[id]))
		}
	}
	add("push-messages", push)
	add("pull-messages", &flwrpb.PullAppMessagesRequest{MessageIds: []string{asked[0].id(), asked[2].id(), wire.ObjectID(nil)}})
	add("pull-messages", &flwrpb.PullAppMessagesRequest{MessageIds: []string{wire.ObjectID([]byte("?")), "\x00"}})
	add("pull-object", &flwrpb.PullObjectRequest{Node: nodeOf(ServerID), ObjectId: asked[0].ids[1]})
	add("confirm-message-received", &flwrpb.ConfirmMessageReceivedRequest{MessageObjectId: answers[4].id()})
	return names, calls
}

func seed(f *testing.F, all, names []string, calls []proto.Message) {
	for i, m := range calls {
		body, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		for route, name := range all {
			if name == names[i] {
				f.Add(uint8(route), body)
			}
		}
	}
}

// FuzzFleet sends any body to any route of the Fleet API of a SuperLink in the middle of its work.
func FuzzFleet(f *testing.F) {
	names, calls := fleetCalls()
	seed(f, fleetNames, names, calls)
	dir := f.TempDir()
	begin := busy(f, dir)
	f.Fuzz(func(t *testing.T, route uint8, body []byte) {
		w := openWorld(t, dir, begin.clone())
		defer w.link.Close()
		w.measured = true
		name := fleetNames[int(route)%len(fleetNames)]
		first := w.send(true, name, "", body)
		w.check()
		again := w.send(true, name, "", body)
		if first.Code == http.StatusOK && again.Code != http.StatusOK && name != "deactivate-node" {
			t.Errorf("%s: repeated, HTTP %d", name, again.Code)
		}
		w.check()
	})
}

// FuzzRuntime does it with the Runtime API, as the ServerApp of the first run.
func FuzzRuntime(f *testing.F) {
	names, calls := runtimeCalls()
	seed(f, runtimeNames, names, calls)
	dir := f.TempDir()
	begin := busy(f, dir)
	f.Fuzz(func(t *testing.T, route uint8, body []byte) {
		w := openWorld(t, dir, begin.clone())
		defer w.link.Close()
		w.measured = true
		name := runtimeNames[int(route)%len(runtimeNames)]
		first := w.send(false, name, tokenOne, body)
		w.check()
		again := w.send(false, name, tokenOne, body)
		if first.Code == http.StatusOK && again.Code != http.StatusOK && name != "push-task-output" {
			t.Errorf("%s: repeated, HTTP %d", name, again.Code)
		}
		if again := w.send(false, name, "no token", body); again.Code != http.StatusUnauthorized && name != "acquire-task" {
			t.Errorf("%s without a token: HTTP %d", name, again.Code)
		}
		w.check()
	})
}

// FuzzExchanges runs scripts of calls, restarts and time: two bytes are a step, the second chooses among SuperNodes, messages or replies.
func FuzzExchanges(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 2, 0, 4, 0, 5, 0, 6, 0, 3, 0, 7, 0, 8, 0, 9, 0})
	f.Add([]byte{0, 2, 1, 2, 10, 0, 2, 1, 3, 2, 4, 4, 10, 0, 5, 4, 7, 2, 7, 2, 8, 4})
	f.Add([]byte{0, 1, 1, 1, 2, 0, 11, 4, 7, 1, 8, 1, 12, 0, 13, 0, 2, 0})
	f.Add([]byte{0, 4, 1, 4, 0, 5, 1, 5, 9, 1, 7, 4, 11, 9, 11, 9})
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, script []byte) {
		w := openWorld(t, dir, base())
		defer func() { w.link.Close() }()
		for ; len(script) >= 2 && len(script) <= 64; script = script[2:] {
			w.step(script[0], script[1])
		}
		w.check()
		w.restart()
		w.check()
	})
}

func (w *world) restart() {
	w.link.Close()
	w.reopen()
}

func (w *world) step(op, which byte) {
	w.t.Helper()
	p, a := asked[int(which)%len(asked)], answers[int(which)%len(answers)]
	n := []uint64{nodeA, nodeB, nodeOffline, nodeGone, 99}[int(which)%5]
	token := tokenOne
	if which&1 != 0 {
		token = tokenTwo
	}
	own := tokenOne // the token of the message's run
	if p.message.GetMetadata().GetRunId() == runTwo {
		own = tokenTwo
	}
	switch from := a.message.GetMetadata(); op % 16 {
	case 0:
		w.post(own, p, 0)
	case 1:
		w.post(own, p, len(p.ids))
	case 2:
		w.ask(true, "pull-messages", "", &flwrpb.PullMessagesRequest{Node: nodeOf(n)}, nil)
	case 3:
		w.ask(true, "confirm-message-received", "", &flwrpb.ConfirmMessageReceivedRequest{
			Node: nodeOf(p.message.GetMetadata().GetDstNodeId()), RunId: p.message.GetMetadata().GetRunId(), MessageObjectId: p.id()}, nil)
	case 4:
		w.reply(from.GetSrcNodeId(), a, 0)
	case 5:
		w.reply(from.GetSrcNodeId(), a, 1+int(which>>6))
	case 6:
		w.reply(from.GetSrcNodeId(), a, len(a.ids))
	case 7:
		w.replies(own, p)
	case 8:
		w.confirm(own, p, a)
	case 9:
		w.ask(true, "deactivate-node", "", &flwrpb.DeactivateNodeRequest{NodeId: n}, nil)
	case 10:
		w.restart()
	case 11:
		w.now.Add(int64(which) * int64(time.Second))
		if err := w.link.change(w.link.overdue); err != nil {
			w.t.Error(err)
		}
		w.link.sweep()
	case 12:
		w.ask(true, "activate-node", "", &flwrpb.ActivateNodeRequest{PublicKey: w.link.nodes[nodeA].PublicPEM, HeartbeatInterval: 20}, nil)
	case 13:
		w.ask(true, "send-node-heartbeat", "", &flwrpb.SendNodeHeartbeatRequest{Node: nodeOf(n), HeartbeatInterval: 10 + float64(which)}, nil)
	case 14:
		if err := w.link.Unregister(n); err != nil {
			w.t.Error(err)
		}
	case 15:
		w.ask(false, "push-task-output", token, &flwrpb.PushTaskOutputRequest{SubStatus: Failed}, nil)
	}
}

// replies polls, and checks that what comes is whole.
func (w *world) replies(token string, p parcel) {
	w.t.Helper()
	var out flwrpb.PullAppMessagesResponse
	w.ask(false, "pull-messages", token, &flwrpb.PullAppMessagesRequest{MessageIds: []string{p.id()}}, &out)
	for _, tree := range out.GetMessageObjectTrees() {
		ids, err := wire.TreeIDs(tree, maxTree)
		if err != nil {
			w.t.Error(err)
		}
		for _, id := range ids {
			var o flwrpb.PullObjectResponse
			w.ask(false, "pull-object", token, &flwrpb.PullObjectRequest{Node: nodeOf(ServerID), ObjectId: id}, &o)
			if !o.GetObjectAvailable() || wire.ObjectID(o.GetObjectContent()) != id {
				w.t.Errorf("object %.8s of a reply that was given cannot be pulled", id)
			}
		}
	}
}

// confirm confirms the reply that a poll brings, or one that may not have come.
func (w *world) confirm(token string, p, a parcel) {
	w.t.Helper()
	var out flwrpb.PullAppMessagesResponse
	w.ask(false, "pull-messages", token, &flwrpb.PullAppMessagesRequest{MessageIds: []string{p.id()}}, &out)
	names := []string{a.id()}
	for _, m := range out.GetMessagesList() {
		names = append(names, m.GetMetadata().GetMessageId())
	}
	for _, id := range names {
		if c := w.link.letters[id]; c != nil && c.to != nil {
			delete(w.acked, c.to.row.ID)
		}
		w.ask(false, "confirm-message-received", token, &flwrpb.ConfirmMessageReceivedRequest{MessageObjectId: id}, nil)
	}
}
