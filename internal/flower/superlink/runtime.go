package superlink

import (
	"crypto/sha256"
	"io"
	"net/http"
	"time"

	"blossomtune/internal/flower/observe"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"
)

// RuntimeHandler serves the Runtime API to ServerApps, each of which is known by the token of its run. The calls of AgentApps, connectors
// and automations do not exist.
//
// With an Observer it serves that Observer's run alone and lets it read and store what passes before the call is answered. A poll for
// replies is then held until all of them can be given, or for a while. Without one nothing is observed, and each poll is answered at once.
func (l *Link) RuntimeHandler(seen *observe.Observer) http.Handler {
	mux := http.NewServeMux()
	a := runtimeAPI{l, seen}
	on := func(name string, h func(http.ResponseWriter, *http.Request, uint64) error) {
		mux.HandleFunc("POST "+runtimePrefix+name, func(w http.ResponseWriter, r *http.Request) {
			id, err := a.caller(r)
			if err == nil {
				err = h(w, r, id)
			}
			if err != nil {
				refuse(w, err)
			}
		})
	}
	on("send-task-heartbeat", func(w http.ResponseWriter, _ *http.Request, _ uint64) error {
		a.sign(observe.SignHeartbeat)
		answer(w, &flwrpb.SendTaskHeartbeatResponse{Success: true}) // the launcher watches the process itself
		return nil
	})
	on("push-logs", func(w http.ResponseWriter, r *http.Request, _ uint64) error {
		_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxCall)) // else the connection cannot be used again
		answer(w, &flwrpb.PushLogsResponse{})                               // what the process prints is kept in a file
		return nil
	})
	on("pull-task-input", a.input)
	on("push-task-output", a.end)
	on("get-nodes", l.runtimeNodes)
	on("push-messages", a.push)
	on("pull-messages", a.pull)
	on("push-object", a.pushObject)
	on("pull-object", l.runtimePullObject)
	on("confirm-message-received", a.confirm)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, errUnknownPath) })
	return mux
}

// runtimeAPI is the Runtime API of a Link, observed or not.
type runtimeAPI struct {
	*Link
	seen *observe.Observer // may be nil
}

func (a runtimeAPI) sign(s observe.Sign) {
	if a.seen != nil {
		a.seen.Sign(s)
	}
}

// caller returns the run of a call's token.
func (a runtimeAPI) caller(r *http.Request) (uint64, error) {
	a.sign(observe.SignRequest)
	id, err := a.tokenRun(r)
	if err == nil && a.seen != nil && a.seen.RunID() != id {
		return 0, errToken // the token of another run
	}
	return id, err
}

func (l *Link) tokenRun(r *http.Request) (uint64, error) {
	tokens := r.Header.Values(wire.HeaderTaskToken)
	if len(tokens) != 1 {
		return 0, errToken
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault != nil {
		return 0, errUnavailable
	}
	if run := l.byToken[sha256.Sum256([]byte(tokens[0]))]; run != nil {
		return run.ID, nil
	}
	return 0, errToken
}

func (a runtimeAPI) input(w http.ResponseWriter, r *http.Request, id uint64) error {
	out := &flwrpb.PullTaskInputResponse{}
	l := a.Link
	err := l.change(func(now time.Time) ([]Change, error) {
		run := l.runs[id]
		if run == nil || run.Status == Finished {
			return nil, errTaskStart
		}
		out.Run, out.TaskId = run.describe(), run.TaskID // as it was, like Flower's
		if run.Status != Running {
			run.Status, run.RunningAt = Running, now
		}
		out.Context = &flwrpb.Context{RunId: id, NodeId: ServerID, State: &flwrpb.RecordDict{}, SeriesId: id}
		return []Change{run.RunRow}, nil
	})
	if err != nil {
		return err
	}
	if out.Fab, err = l.fab(r.Context(), out.GetRun().GetFabHash()); err != nil {
		return err
	}
	a.sign(observe.SignInput)
	answer(w, out)
	return nil
}

// end takes how a ServerApp says that it ended.
func (a runtimeAPI) end(w http.ResponseWriter, r *http.Request, id uint64) error {
	var in flwrpb.PushTaskOutputRequest
	if _, err := read(w, r, &in); err != nil {
		return err
	}
	if a.seen != nil {
		a.seen.Output(&in)
	}
	if err := a.output(id, in.GetSubStatus(), in.GetDetails()); err != nil {
		return err
	}
	answer(w, &flwrpb.PushTaskOutputResponse{})
	return nil
}

// push takes messages to SuperNodes. One to a SuperNode that is not there gets the empty name, as with Flower.
func (a runtimeAPI) push(w http.ResponseWriter, r *http.Request, id uint64) error {
	var in flwrpb.PushAppMessagesRequest
	size, err := read(w, r, &in)
	if err != nil {
		return err
	}
	if len(in.GetMessagesList()) == 0 || len(in.GetMessagesList()) != len(in.GetMessageObjectTrees()) {
		return invalid("each message needs one object tree")
	}
	l, sent := a.Link, a.o.Clock()
	lists := make([][]string, len(in.GetMessagesList()))
	for i, m := range in.GetMessagesList() { // large trees take a while: not under the lock
		var err error
		if lists[i], err = checked(m, in.GetMessageObjectTrees()[i], false, l.o.Clock()); err != nil {
			return err
		}
		if m.GetMetadata().GetRunId() != id {
			return invalid("the message belongs to another run")
		}
	}
	out := &flwrpb.PushAppMessagesResponse{}
	shared := map[string]bool{}
	err = l.change(func(now time.Time) (changes []Change, err error) {
		if run := l.runs[id]; run == nil || l.crowded(run, 2*int64(size)+1000*int64(len(lists))) {
			return nil, errCrowded
		}
		wanted := map[string]bool{}
		for i, m := range in.GetMessagesList() {
			l.shared(m.GetMetadata(), lists[i], shared)
			c, more := l.post(m, in.GetMessageObjectTrees()[i], lists[i], now)
			changes = append(changes, more...)
			if c == nil {
				out.MessageIds = append(out.MessageIds, "")
				continue
			}
			out.MessageIds = append(out.MessageIds, c.row.ID)
			for _, object := range l.missing(c) {
				if !wanted[object] {
					wanted[object] = true
					out.ObjectsToPush = append(out.ObjectsToPush, object)
				}
			}
		}
		return changes, nil
	})
	if err != nil {
		return err
	}
	if a.seen != nil && !(a.seen.Asked(r.Context(), &in, out, sent) && a.giveShared(r.Context(), id, shared)) {
		return errUnavailable
	}
	out.SessionId = in.GetMessagesList()[0].GetMetadata().GetMessageId()
	answer(w, out)
	return nil
}

// post takes one message. It returns nil when there is no such SuperNode.
func (l *Link) post(m *flwrpb.Message, tree *flwrpb.ObjectTree, ids []string, now time.Time) (*letter, []Change) {
	r, n := l.runs[m.GetMetadata().GetRunId()], l.nodes[m.GetMetadata().GetDstNodeId()]
	if r == nil || r.Status == Finished || n == nil || n.Status != Online && n.Status != Offline {
		return nil, nil
	}
	if old := l.letters[m.GetMetadata().GetMessageId()]; old != nil { // a call that is repeated
		if old.row.RunID != r.ID || old.to != nil {
			return nil, nil
		}
		return old, nil
	}
	c, err := l.newLetter(m, tree, ids, now)
	if err != nil {
		return nil, nil
	}
	r.letters[c.row.ID] = c
	n.mail = append(n.mail, c)
	var out []Change
	if early := r.unknown[c.row.ID]; early != nil { // somebody asked for its reply before it came
		out = l.drop(early)
	}
	out = append(out, c.row)
	switch {
	case n.Status == Offline:
		out = append(out, l.stand(c, codeNodeUnavailable, reasonNode, now)...)
	case c.whole():
		n.wake()
	}
	return c, out
}

// replies finds the replies to messages of a run. A message that is not known is answered with an error. The changes are made also
// when replies returns an error.
func (l *Link) replies(runID uint64, asked []string, now time.Time) (out []*letter, changes []Change, err error) {
	r := l.runs[runID]
	if r == nil || r.Status == Finished { // since the call began: its messages are gone
		return nil, nil, errToken
	}
	strange := 0
	for _, id := range asked {
		if !l.known(runID, id) {
			strange++
		}
	}
	if strange > 0 && l.crowded(r, int64(strange)*letterWeight(100, 100)) {
		return nil, nil, errCrowded
	}
	seen := map[string]bool{}
	for _, id := range asked {
		if seen[id] {
			continue
		}
		seen[id] = true
		m := l.letters[id]
		switch {
		case !l.known(runID, id):
			c, more, err := l.unknown(runID, id, now)
			if err != nil {
				return nil, changes, err
			}
			out, changes = append(out, c), append(changes, more...)
		default:
			changes = append(changes, l.late(m, now)...)
			if !m.answered() {
				continue
			}
			out = append(out, m.reply)
		}
	}
	return out, changes, nil
}

// known reports whether a run has a message of this ID.
func (l *Link) known(runID uint64, id string) bool {
	m := l.letters[id]
	return m != nil && m.to == nil && m.row.RunID == runID
}

// unknown makes the reply to a message that is not known.
func (l *Link) unknown(runID uint64, id string, now time.Time) (*letter, []Change, error) {
	r := l.runs[runID]
	if c := r.unknown[id]; c != nil { // made before and not confirmed
		return c, nil, nil
	}
	if !wire.IsObjectID(id) {
		return nil, nil, invalid("a message's ID is the name of an object")
	}
	to := &flwrpb.Message{Metadata: &flwrpb.Metadata{RunId: runID, MessageId: id, SrcNodeId: ServerID, DstNodeId: ServerID,
		MessageType: "system", CreatedAt: seconds(now)}}
	c, changes, err := l.errorLetter(to, codeMessageUnavailable, reasonMessage, now)
	if err != nil {
		return nil, nil, err
	}
	r.unknown[id] = c
	return c, append(changes, c.row), nil
}

func (l *Link) runtimePullObject(w http.ResponseWriter, r *http.Request, id uint64) error {
	var in flwrpb.PullObjectRequest
	if _, err := read(w, r, &in); err != nil {
		return err
	}
	if in.GetNode().GetNodeId() != ServerID {
		return errNodeID
	}
	f, err := l.fetch(r.Context(), 0, id, in.GetObjectId())
	if err != nil {
		return err
	}
	give(w, f)
	return nil
}

// confirm ends a message with its reply.
func (a runtimeAPI) confirm(w http.ResponseWriter, r *http.Request, id uint64) error {
	var in flwrpb.ConfirmMessageReceivedRequest
	if _, err := read(w, r, &in); err != nil {
		return err
	}
	l := a.Link
	err := l.change(func(time.Time) ([]Change, error) {
		c := l.letters[in.GetMessageObjectId()]
		if c == nil || c.row.RunID != id || c.row.ReplyTo == "" {
			return nil, nil
		}
		if c.to != nil {
			return l.drop(c.to), nil
		}
		return l.drop(c), nil
	})
	if err != nil {
		return err
	}
	if a.seen != nil {
		a.seen.Confirmed(in.GetMessageObjectId())
	}
	answer(w, &flwrpb.ConfirmMessageReceivedResponse{})
	return nil
}
