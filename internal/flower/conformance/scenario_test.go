package conformance

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"
)

// all plays everything that can go wrong between SuperNodes, ServerApps and an engine.
func (s *script) all() {
	one, two, three := s.participant("node-1"), s.participant("node-2"), s.participant("node-3")
	a, b := s.app("run-1"), s.app("run-2")
	s.identities(one, two, three)
	s.tasks(a, b)
	s.strangeMessages(a, b, one, three)
	p := s.messages(a, one, two)
	s.repliesOf(a, b, one, two, p)
	s.errorReplies(a, one, two)
	s.forged(a, one, two)
	s.ends(a, b, one, two)
}

// tasks are the calls by which a ServerApp begins, and those without its token.
func (s *script) tasks(a, b app) {
	none := &flwrpb.GetNodesResponse{}
	for _, route := range []string{"pull-task-input", "get-nodes", "send-task-heartbeat", "push-logs", "push-task-output", "push-messages",
		"pull-messages", "push-object", "pull-object", "confirm-message-received"} {
		s.runtime("token unknown: "+route, app{token: "unknown"}, route, none, &flwrpb.GetNodesResponse{})
		s.note("token missing: "+route, s.outcome(s.send("/v1/runtime/"+route, http.Header{}, nil), none))
	}
	s.runtime("acquire-task: as a ServerApp", a, "acquire-task", &flwrpb.AcquireTaskRequest{SupportedTaskTypes: []string{wire.ServerAppTask}},
		&flwrpb.AcquireTaskResponse{})
	s.runtime("no such call of the Runtime API", a, "no-such-call", none, none)
	s.runtime("output before the input", b, "push-task-output", &flwrpb.PushTaskOutputRequest{SubStatus: "completed"},
		&flwrpb.PushTaskOutputResponse{})
	for name, app := range map[string]app{"run-1": a, "run-2": b} {
		s.runtime("input: "+name, app, "pull-task-input", none, &flwrpb.PullTaskInputResponse{})
	}
	s.runtime("input: again", a, "pull-task-input", none, &flwrpb.PullTaskInputResponse{})
	s.runtime("task heartbeat", a, "send-task-heartbeat", none, &flwrpb.SendTaskHeartbeatResponse{})
	s.runtime("logs", a, "push-logs", none, &flwrpb.PushLogsResponse{})
	s.runtime("nodes", a, "get-nodes", none, &flwrpb.GetNodesResponse{})
	s.note("not a protobuf: runtime push-messages", s.outcome(s.send("/v1/runtime/push-messages",
		http.Header{http.CanonicalHeaderKey(wire.HeaderTaskToken): {a.token}}, []byte{0xff}), &flwrpb.PushAppMessagesResponse{}))
}

// strangeMessages are messages that Flower refuses or passes over.
func (s *script) strangeMessages(a, b app, one, three participant) {
	s.runtime("push: no message", a, "push-messages", &flwrpb.PushAppMessagesRequest{}, &flwrpb.PushAppMessagesResponse{})
	good := s.pack("lonely", a.run, superLinkID, one.id, nil, record("a"))
	s.runtime("push: no tree", a, "push-messages", &flwrpb.PushAppMessagesRequest{MessagesList: []*flwrpb.Message{good.message}},
		&flwrpb.PushAppMessagesResponse{})
	for step, change := range map[string]func(m *flwrpb.Metadata){
		"from a SuperNode": func(m *flwrpb.Metadata) { m.SrcNodeId = one.id },
		"from nowhere":     func(m *flwrpb.Metadata) { m.SrcNodeId = 0 }, "to nowhere": func(m *flwrpb.Metadata) { m.DstNodeId = 0 },
		"a reply": func(m *flwrpb.Metadata) { m.ReplyToMessageId = good.id() },
		"no type": func(m *flwrpb.Metadata) { m.MessageType = "" }, "of another run": func(m *flwrpb.Metadata) { m.RunId = b.run },
		"no time": func(m *flwrpb.Metadata) { m.Ttl = 0 }, "too old": func(m *flwrpb.Metadata) { m.CreatedAt = 1700000000; m.Ttl = 1e12 },
		"expired": func(m *flwrpb.Metadata) { m.CreatedAt -= 100; m.Ttl = 50 },
	} {
		s.post("push: "+step, a, s.pack(step, a.run, superLinkID, one.id, change, record("b")))
	}
	s.post("push: to a SuperNode that is not registered", a, s.pack("m-unknown", a.run, superLinkID, 99, nil))
	s.post("push: to a SuperNode that never came", a, s.pack("m-never", a.run, superLinkID, three.id, nil))
	unnamed := s.pack("unnamed", a.run, superLinkID, one.id, nil)
	unnamed.message.Metadata.MessageId = ""
	s.post("push: without an ID", a, unnamed)
	for step, id := range map[string]uint64{"a SuperNode": one.id, "nowhere": 0} {
		s.runtime("object: from "+step, a, "push-object", &flwrpb.PushObjectRequest{Node: node(id), RunId: a.run, ObjectId: good.id(),
			ObjectContent: good.objects[good.id()]}, &flwrpb.PushObjectResponse{})
		s.fetch("object: pulled by "+step, a, id, good.id())
	}
	s.put("object: that no message lists", a, good, good.id(), good.objects[good.id()])
	s.fetch("object: pulled, unknown", a, superLinkID, good.id())
	s.replies("replies: to a message that is not known", a, strings.Repeat("ab", 32))
	s.replies("replies: to none", a)
}

// messages sends one message from a ServerApp to a SuperNode.
func (s *script) messages(a app, one, two participant) parcel {
	p := s.pack("m", a.run, superLinkID, one.id, nil, "ArrayRecord  5\x00model", "Array  6\x00values")
	s.post("message", a, p)
	s.post("message: again", a, p)
	s.replies("replies: before the message is whole", a, p.id())
	s.put("object: another content", a, p, p.ids[1], []byte("Array  5\x00other"))
	s.poll("poll: message that is not whole", one)
	s.pull("pull: object that has not come", one, a.run, p.ids[1])
	s.upload("message", a, p)
	s.put("object: again", a, p, p.ids[1], p.objects[p.ids[1]])
	s.poll("poll: another SuperNode", two)
	s.poll("poll: message", one)
	s.poll("poll: again", one)
	for i, id := range p.ids {
		s.pull("pull: object "+string(rune('0'+i)), one, a.run, id)
	}
	s.pull("pull: another SuperNode's object", two, a.run, p.ids[1])
	s.pull("pull: unknown object", one, a.run, strings.Repeat("cd", 32))
	s.run("run", one, one.id, a.run)
	s.run("run: unknown", one, one.id, 7)
	s.run("run: another's ID", one, two.id, a.run)
	hash := wire.ObjectID(s.fab())
	s.bundle("app", one, a.run, hash)
	s.bundle("app: another one", one, a.run, strings.Repeat("ef", 32))
	s.bundle("app: unknown run", one, 7, hash)
	s.confirm("confirm", one, a.run, p.id())
	s.confirm("confirm: again", one, a.run, p.id())
	s.confirm("confirm: unknown", one, a.run, strings.Repeat("ab", 32))
	s.confirm("confirm: unknown run", one, 7, p.id())
	s.pull("pull: after the confirmation", one, a.run, p.ids[1])
	return p
}

// repliesOf sends replies to a message: wrong ones, then the right one.
func (s *script) repliesOf(a, b app, one, two participant, p parcel) {
	const result = "MetricRecord  6\x00result"
	s.replies("replies: none yet", a, p.id())
	s.replies("replies: to another run's message", b, p.id())
	for step, change := range map[string]func(m *flwrpb.Metadata){
		"lives too long": func(m *flwrpb.Metadata) { m.Ttl += 10 }, "to nothing": func(m *flwrpb.Metadata) { m.ReplyToMessageId = "" },
		"to an unknown message": func(m *flwrpb.Metadata) { m.ReplyToMessageId = strings.Repeat("ab", 32) },
		"of another run":        func(m *flwrpb.Metadata) { m.RunId = b.run },
		"to a SuperNode":        func(m *flwrpb.Metadata) { m.DstNodeId = two.id },
		"in another's name":     func(m *flwrpb.Metadata) { m.SrcNodeId = two.id },
	} {
		wrong := s.reply("r "+step, p, result)
		change(wrong.message.GetMetadata())
		s.announce("reply: "+step, one, wrong)
	}
	odd := s.pack("m-odd", a.run, superLinkID, two.id, nil, "no object")
	s.post("message with an object of another form", a, odd)
	s.put("object: of another form", a, odd, odd.ids[1], odd.objects[odd.ids[1]])
	empty := &flwrpb.PushMessagesRequest{Node: node(one.id)}
	s.fleet("reply: no message", one, "push-messages", empty, &flwrpb.PushMessagesResponse{})
	r := s.reply("r", p, result)
	s.announce("reply", one, r)
	s.announce("reply: again", one, r)
	s.give("reply: root", one, r, r.id())
	s.replies("replies: not whole yet", a, p.id())
	s.give("reply: object", one, r, r.ids[1])
	s.give("reply: object again", one, r, r.ids[1])
	s.announce("reply: another one to the same message", one, s.reply("r2", p, result, record("more")))
	s.replies("replies", a, p.id())
	for i, id := range r.ids {
		s.fetch("reply: pulled object "+string(rune('0'+i)), a, superLinkID, id)
	}
	s.replies("replies: before the confirmation", a, p.id())
	done := func(step, id string) {
		s.runtime(step, a, "confirm-message-received", &flwrpb.ConfirmMessageReceivedRequest{Node: node(superLinkID), RunId: a.run,
			MessageObjectId: id}, &flwrpb.ConfirmMessageReceivedResponse{})
	}
	done("reply: confirmed", r.id())
	done("reply: confirmed again", r.id())
	done("reply: unknown, confirmed", strings.Repeat("ab", 32))
	s.replies("replies: after the confirmation", a, p.id())
	s.announce("reply: after the confirmation", one, r)
}

// littleTime is how many seconds a message lives that is to expire: enough for what comes before, on a busy machine too.
const littleTime = 5

// errorReplies are what a SuperLink says in a SuperNode's place.
func (s *script) errorReplies(a app, one, two participant) {
	old := func(m *flwrpb.Metadata) { m.CreatedAt -= 100; m.Ttl = 100 + littleTime }
	short := s.pack("m-short", a.run, superLinkID, one.id, old, record("short"))
	s.post("message with little time", a, short)
	s.upload("message with little time", a, short)
	done := s.pack("m-done", a.run, superLinkID, one.id, old, record("done"))
	s.post("message with little time that is answered", a, done)
	s.upload("message with little time that is answered", a, done)
	answer := s.reply("r-done", done, record("in time"))
	s.announce("reply: in time", one, answer)
	s.give("reply: in time, root", one, answer, answer.id())
	s.give("reply: in time, object", one, answer, answer.ids[1])
	bye := s.pack("m-bye", a.run, superLinkID, two.id, nil, record("bye"))
	s.post("message before a goodbye", a, bye)
	s.upload("message before a goodbye", a, bye)
	s.leave("deactivate: another's ID", one, two.id)
	s.leave("deactivate", two, two.id)
	s.leave("deactivate: again", two, two.id)
	s.replies("replies: the SuperNode has left", a, bye.id())
	s.runtime("nodes: one has left", a, "get-nodes", &flwrpb.GetNodesResponse{}, &flwrpb.GetNodesResponse{})
	offline := s.pack("m-offline", a.run, superLinkID, two.id, nil, record("offline"))
	s.post("message to a SuperNode that has left", a, offline)
	s.replies("replies: of a SuperNode that has left", a, offline.id())
	s.activate("activate: back again", two, publicPEM(s.t, two.key), 30)
	wait := time.NewTimer(time.Until(time.UnixMicro(int64((short.message.GetMetadata().GetCreatedAt() + 100.3 + littleTime) * 1e6))))
	defer wait.Stop()
	<-wait.C
	s.poll("poll: message whose time is over", one)
	s.announce("reply: to a message whose time is over", one, s.reply("r-late", short, record("late")))
	s.replies("replies: the message's time is over", a, short.id())
	s.replies("replies: the message was answered in time", a, done.id())
}

// forged is a reply that another SuperNode sends.
func (s *script) forged(a app, one, two participant) {
	m := s.pack("m-asked", a.run, superLinkID, one.id, nil, record("asked"))
	s.post("message to the first", a, m)
	s.announce("reply: another SuperNode's", two, s.reply("r-forged", m, record("forged")))
}

// ends are the calls after the end of runs, and after that of a SuperNode.
func (s *script) ends(a, b app, one, two participant) {
	m := s.pack("m-last", a.run, superLinkID, one.id, nil, record("last"))
	s.post("message before the end", a, m)
	s.upload("message before the end", a, m)
	r := s.reply("r-last", m, record("result of the last"))
	s.e.stop(a.run)
	s.run("ended: run", one, one.id, a.run)
	s.bundle("ended: app", one, a.run, wire.ObjectID(s.fab()))
	s.poll("ended: poll", one)
	s.pull("ended: pull", one, a.run, m.ids[1])
	s.confirm("ended: confirm", one, a.run, m.id())
	s.announce("ended: reply", one, r)
	s.give("ended: object", one, r, r.ids[1])
	for _, route := range []string{"get-nodes", "send-task-heartbeat", "pull-messages", "push-task-output", "pull-task-input"} {
		s.runtime("ended: runtime "+route, a, route, &flwrpb.GetNodesResponse{}, &flwrpb.GetNodesResponse{})
	}
	output := func(step, status string) {
		s.runtime(step, b, "push-task-output", &flwrpb.PushTaskOutputRequest{SubStatus: status, Details: "well"},
			&flwrpb.PushTaskOutputResponse{})
	}
	output("output: unknown status", "odd")
	none := &flwrpb.GetNodesResponse{}
	s.runtime("output: the run goes on after an unknown status", b, "get-nodes", none, &flwrpb.GetNodesResponse{})
	output("output", "completed")
	output("output: again", "completed")
	s.e.unregister(two.id)
	s.poll("unregistered: poll", two)
	s.beat("unregistered: heartbeat", two, two.id, 30)
	s.activate("unregistered: activate", two, publicPEM(s.t, two.key), 30)
}

// record is an object in Flower's form.
func record(text string) string { return fmt.Sprintf("ConfigRecord  %d\x00%s", len(text), text) }

func (s *script) fab() []byte { return bytes.Clone(appBundle.fab) }
