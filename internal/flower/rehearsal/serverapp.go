package rehearsal

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// ServeHTTP serves the Runtime API to the ServerApp, which is known by its token.
func (l *Link) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || subtle.ConstantTimeCompare([]byte(r.Header.Get(wire.HeaderTaskToken)), []byte(l.token)) != 1 {
		refuse(w, http.StatusUnauthorized, "The task token is not valid.")
		return
	}
	body, err := readBody(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "The request cannot be read, or is too large.")
		return
	}
	out, err := l.runtime(r.Context(), r.URL.Path, body)
	if err != nil {
		refuse(w, statusOf(err), err.Error())
		return
	}
	text, err := proto.Marshal(out)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(text)
}

// errUnknownCall: the operation is an AgentApp's, or of a newer Flower.
var errUnknownCall = errors.New("a rehearsal does not have this operation")

func (l *Link) runtime(ctx context.Context, path string, body []byte) (proto.Message, error) {
	switch path {
	case "/v1/runtime/send-task-heartbeat":
		return &flwrpb.SendTaskHeartbeatResponse{Success: true}, nil
	case "/v1/runtime/push-logs": // what the process prints is kept in a file
		return &flwrpb.PushLogsResponse{}, nil
	case "/v1/runtime/pull-task-input":
		return &flwrpb.PullTaskInputResponse{TaskId: 1, Run: l.run, Fab: &flwrpb.Fab{HashStr: l.run.GetFabHash(), Content: l.o.FAB},
			Context: &flwrpb.Context{RunId: l.run.GetRunId(), NodeId: superLinkID, State: &flwrpb.RecordDict{}, SeriesId: l.run.GetSeriesId()}}, nil
	case "/v1/runtime/get-nodes":
		return l.getNodes(), nil
	case "/v1/runtime/push-messages":
		return l.pushAsks(ctx, body)
	case "/v1/runtime/push-object":
		return l.pushObject(body)
	case "/v1/runtime/pull-messages":
		return l.pullReplies(body)
	case "/v1/runtime/pull-object":
		return l.pullObject(body)
	case "/v1/runtime/confirm-message-received":
		return &flwrpb.ConfirmMessageReceivedResponse{}, nil
	case "/v1/runtime/push-task-output":
		return l.pushOutput(body)
	}
	return nil, errUnknownCall
}

// getNodes shows the ServerApp one SuperNode. One that looks again before it has asked anything waits for more, and is shown more.
func (l *Link) getNodes() proto.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.looks++; l.looks > 1 && len(l.order) == 0 {
		l.nodes = min(2*l.nodes, maxNodes)
	}
	out := &flwrpb.GetNodesResponse{}
	for i := range l.nodes {
		out.Nodes = append(out.Nodes, &flwrpb.NodeInfo{NodeId: NodeID + uint64(i), Status: "online"})
	}
	return out
}

// pushAsks takes messages. Those of one type are one work: the SuperNode of this machine gets the first.
func (l *Link) pushAsks(ctx context.Context, body []byte) (proto.Message, error) {
	var in flwrpb.PushAppMessagesRequest
	if err := proto.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	if len(in.GetMessagesList()) != len(in.GetMessageObjectTrees()) {
		return nil, errors.New("each message needs one object tree")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.o.OneRound && l.again(in.GetMessagesList()) {
		l.output.Stopped = true
		l.end()
		l.mu.Unlock()
		<-ctx.Done() // the ServerApp is ended meanwhile
		l.mu.Lock()
		return nil, context.Cause(ctx)
	}
	out := &flwrpb.PushAppMessagesResponse{SessionId: "rehearsal"}
	here, missing := map[string]*work{}, map[string]bool{}
	for i, m := range in.GetMessagesList() {
		ids, err := l.take(m, in.GetMessageObjectTrees()[i], here)
		if err != nil {
			return nil, err
		}
		out.MessageIds = append(out.MessageIds, m.GetMetadata().GetMessageId())
		for _, id := range ids {
			if !missing[id] {
				missing[id] = true
				out.ObjectsToPush = append(out.ObjectsToPush, id)
			}
		}
	}
	l.notify()
	return out, nil
}

// again reports whether a message is of a type that was answered before.
func (l *Link) again(messages []*flwrpb.Message) bool {
	for _, m := range messages {
		for _, w := range l.order {
			if w.message.GetMetadata().GetMessageType() == m.GetMetadata().GetMessageType() && l.whole(w) {
				return true
			}
		}
	}
	return false
}

// take takes a message and returns the missing ones of its objects.
func (l *Link) take(m *flwrpb.Message, tree *flwrpb.ObjectTree, here map[string]*work) ([]string, error) {
	meta := m.GetMetadata()
	if meta.GetRunId() != l.run.GetRunId() || meta.GetMessageId() != tree.GetObjectId() || meta.GetDstNodeId() < NodeID ||
		meta.GetDstNodeId() >= NodeID+uint64(l.nodes) {
		return nil, errors.New("a message of another run or to an unknown SuperNode")
	}
	_, missing, err := l.store.announce(tree)
	if err != nil || l.asks[meta.GetMessageId()] != nil { // a call that is repeated
		return missing, err
	}
	w := here[meta.GetMessageType()]
	if w != nil {
		w.copies++
	} else {
		if w, err = l.workOf(m, tree); err != nil {
			return nil, err
		}
		here[meta.GetMessageType()] = w
		l.order, l.queue, l.works[w.message.GetMetadata().GetMessageId()] = append(l.order, w), append(l.queue, w), w
	}
	l.asks[meta.GetMessageId()] = &ask{message: m, work: w}
	return missing, nil
}

// workOf gives a message to the SuperNode of this machine, whichever one it is for.
func (l *Link) workOf(m *flwrpb.Message, tree *flwrpb.ObjectTree) (*work, error) {
	if m.GetMetadata().GetDstNodeId() == NodeID {
		return &work{message: m, tree: tree}, nil
	}
	own, ownTree, root, err := remake(m, tree, func(meta *flwrpb.Metadata) { meta.DstNodeId = NodeID })
	if err == nil {
		err = l.add(ownTree, root)
	}
	return &work{message: own, tree: ownTree}, err
}

// add stores the root of a message that was made here.
func (l *Link) add(tree *flwrpb.ObjectTree, root []byte) error {
	if _, _, err := l.store.announce(tree); err != nil {
		return err
	}
	return l.store.put(tree.GetObjectId(), root)
}

// pullReplies gives the ServerApp the replies that are whole.
func (l *Link) pullReplies(body []byte) (proto.Message, error) {
	var in flwrpb.PullAppMessagesRequest
	if err := proto.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := &flwrpb.PullAppMessagesResponse{}
	for _, id := range in.GetMessageIds() {
		a := l.asks[id]
		if a == nil {
			return nil, errors.New("a reply to an unknown message")
		}
		if !l.whole(a.work) {
			continue
		}
		if err := l.answer(a); err != nil {
			return nil, err
		}
		out.MessagesList, out.MessageObjectTrees = append(out.MessagesList, a.reply), append(out.MessageObjectTrees, a.tree)
	}
	return out, nil
}

// answer makes the reply to a message from that to the work's.
func (l *Link) answer(a *ask) error {
	if a.reply != nil {
		return nil
	}
	meta := a.message.GetMetadata()
	if meta.GetMessageId() == a.work.message.GetMetadata().GetMessageId() {
		a.reply, a.tree = a.work.reply, a.work.replyTree
		return nil
	}
	reply, tree, root, err := remake(a.work.reply, a.work.replyTree, func(m *flwrpb.Metadata) {
		m.SrcNodeId, m.ReplyToMessageId = meta.GetDstNodeId(), meta.GetMessageId()
	})
	if err == nil {
		err = l.add(tree, root)
	}
	a.reply, a.tree = reply, tree
	return err
}

// pushOutput takes the ServerApp's own word on its end.
func (l *Link) pushOutput(body []byte) (proto.Message, error) {
	var in flwrpb.PushTaskOutputRequest
	if err := proto.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.output.Reported, l.output.Status, l.output.Details = true, in.GetSubStatus(), in.GetDetails()
	return &flwrpb.PushTaskOutputResponse{}, nil
}
