package superlink

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// HeaderHold says for how many milliseconds an empty poll may be held open. Only the gateway sends it.
const HeaderHold = "Blossomtune-Hold"

const (
	fleetPrefix   = "/v1/fleet/"
	runtimePrefix = "/v1/runtime/"
	maxHold       = 10 * time.Minute
)

// FleetHandler serves the Fleet API. It trusts its caller: who calls must have checked the signature, and that every node id in the body
// is that of the key, as the gateway does.
func (l *Link) FleetHandler() http.Handler {
	mux := http.NewServeMux()
	on := func(name string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc("POST "+fleetPrefix+name, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				refuse(w, err)
			}
		})
	}
	on("activate-node", l.fleetActivate)
	on("deactivate-node", l.fleetDeactivate)
	on("send-node-heartbeat", l.fleetBeat)
	on("pull-messages", l.fleetPull)
	on("push-messages", l.fleetPush)
	on("get-run", l.fleetRun)
	on("get-fab", l.fleetFAB)
	on("push-object", l.fleetPushObject)
	on("pull-object", l.fleetPullObject)
	on("confirm-message-received", l.fleetConfirm)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, errUnknownPath) })
	return mux
}

func (l *Link) fleetActivate(w http.ResponseWriter, r *http.Request) error {
	var in flwrpb.ActivateNodeRequest
	if _, err := read(w, r, &in); err != nil {
		return err
	}
	id, err := l.activate(in.GetPublicKey(), in.GetHeartbeatInterval())
	if err != nil {
		return err
	}
	answer(w, &flwrpb.ActivateNodeResponse{NodeId: id})
	return nil
}

func (l *Link) fleetDeactivate(w http.ResponseWriter, r *http.Request) error {
	var in flwrpb.DeactivateNodeRequest
	if _, err := read(w, r, &in); err != nil {
		return err
	}
	if err := l.deactivate(in.GetNodeId()); err != nil {
		return err
	}
	answer(w, &flwrpb.DeactivateNodeResponse{})
	return nil
}

func (l *Link) fleetBeat(w http.ResponseWriter, r *http.Request) error {
	var in flwrpb.SendNodeHeartbeatRequest
	if _, err := read(w, r, &in); err != nil {
		return err
	}
	known, err := l.beat(in.GetNode().GetNodeId(), in.GetHeartbeatInterval())
	if err != nil {
		return err
	}
	answer(w, &flwrpb.SendNodeHeartbeatResponse{Success: known})
	return nil
}

// fleetPull gives a SuperNode its next message. An empty poll is held open for as long as the gateway allows, and ends when there is a
// message for this SuperNode.
func (l *Link) fleetPull(w http.ResponseWriter, r *http.Request) error {
	var in flwrpb.PullMessagesRequest
	size, err := read(w, r, &in)
	if err != nil {
		return err
	}
	ms, _ := strconv.Atoi(r.Header.Get(HeaderHold))
	m, err := l.await(r.Context(), in.GetNode().GetNodeId(), min(time.Duration(ms)*time.Millisecond, maxHold))
	if err != nil {
		return err
	}
	out := &flwrpb.PullMessagesResponse{}
	if m != nil {
		message, tree, err := m.decode()
		if err != nil {
			return err
		}
		out.MessagesList, out.MessageObjectTrees = []*flwrpb.Message{message}, []*flwrpb.ObjectTree{tree}
		l.mu.Lock()
		l.meter(m.row.RunID, true, proto.Size(out), size, nil)
		l.mu.Unlock()
	}
	answer(w, out)
	return nil
}

func (m *letter) decode() (*flwrpb.Message, *flwrpb.ObjectTree, error) {
	message, tree := &flwrpb.Message{}, &flwrpb.ObjectTree{}
	if proto.Unmarshal(m.row.Message, message) != nil || proto.Unmarshal(m.row.Tree, tree) != nil {
		return nil, nil, errUnavailable
	}
	return message, tree, nil
}

// await takes the SuperNode's next message, waiting for one while it may.
func (l *Link) await(ctx context.Context, nodeID uint64, hold time.Duration) (*letter, error) {
	m, news, err := l.take(nodeID)
	if m != nil || err != nil || hold <= 0 {
		return m, err
	}
	l.polling(nodeID, 1)
	defer l.polling(nodeID, -1)
	limit := time.NewTimer(hold)
	defer limit.Stop()
	for {
		select {
		case <-news:
		case <-limit.C:
			return nil, nil
		case <-l.broken:
			return nil, errUnavailable
		case <-ctx.Done():
			return nil, errUnavailable
		}
		if ctx.Err() != nil { // a message must not go to a SuperNode that has left
			return nil, errUnavailable
		}
		if m, news, err = l.take(nodeID); m != nil || err != nil {
			return m, err
		}
	}
}

// polling counts the polls of a SuperNode that are open. One that polls is online: heartbeats that are late do not matter.
func (l *Link) polling(nodeID uint64, by int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.nodes[nodeID]; n != nil {
		n.polls += by
	}
}

func (l *Link) fleetPush(w http.ResponseWriter, r *http.Request) error {
	var in flwrpb.PushMessagesRequest
	size, err := read(w, r, &in)
	if err != nil {
		return err
	}
	if len(in.GetMessagesList()) != 1 || len(in.GetMessageObjectTrees()) != 1 {
		return errBadBody
	}
	ran := 0.0
	if list := in.GetClientappRuntimeList(); len(list) > 0 {
		ran = list[0]
	}
	missing, err := l.announce(in.GetMessagesList()[0], in.GetMessageObjectTrees()[0], in.GetNode().GetNodeId(), ran, size)
	if err != nil {
		return err
	}
	answer(w, &flwrpb.PushMessagesResponse{ObjectsToPush: missing, SessionId: in.GetMessagesList()[0].GetMetadata().GetMessageId()})
	return nil
}

func (l *Link) fleetRun(w http.ResponseWriter, r *http.Request) error {
	var in flwrpb.GetRunRequest
	if _, err := read(w, r, &in); err != nil {
		return err
	}
	row, err := l.running(in.GetRunId(), errGetRun)
	if err != nil {
		return err
	}
	answer(w, &flwrpb.GetRunResponse{Run: row.describe()})
	return nil
}

func (l *Link) fleetFAB(w http.ResponseWriter, r *http.Request) error {
	var in flwrpb.GetFabRequest
	if _, err := read(w, r, &in); err != nil {
		return err
	}
	row, err := l.running(in.GetRunId(), errGetFAB)
	if err != nil {
		return err
	}
	if row.FABHash != in.GetHashStr() {
		return errGetFAB
	}
	fab, err := l.fab(r.Context(), row.FABHash)
	if err != nil {
		return err
	}
	answer(w, &flwrpb.GetFabResponse{Fab: fab})
	return nil
}

// running returns a copy of a run that SuperNodes may work for.
func (l *Link) running(runID uint64, unknown error) (*run, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch r := l.runs[runID]; {
	case l.fault != nil:
		return nil, errUnavailable
	case r == nil:
		return nil, unknown
	case r.Status != Running:
		return nil, errNotRunning
	default:
		return &run{RunRow: r.RunRow}, nil
	}
}

func (l *Link) fleetPushObject(w http.ResponseWriter, r *http.Request) error {
	in, err := l.readObject(r.Body, 0)
	defer l.discard(in)
	if err == nil {
		_, err = l.running(in.GetRunId(), errNotRunning)
	}
	if err != nil {
		return err
	}
	stored, err := l.keep(in.GetRunId(), in, true)
	if err != nil {
		return err
	}
	answer(w, &flwrpb.PushObjectResponse{Stored: stored})
	return nil
}

func (l *Link) fleetPullObject(w http.ResponseWriter, r *http.Request) error {
	var in flwrpb.PullObjectRequest
	if _, err := read(w, r, &in); err != nil {
		return err
	}
	f, err := l.fetch(r.Context(), in.GetNode().GetNodeId(), in.GetRunId(), in.GetObjectId())
	if err != nil {
		return err
	}
	give(w, f)
	return nil
}

func (l *Link) fleetConfirm(w http.ResponseWriter, r *http.Request) error {
	var in flwrpb.ConfirmMessageReceivedRequest
	if _, err := read(w, r, &in); err != nil {
		return err
	}
	if err := l.confirm(in.GetNode().GetNodeId(), in.GetRunId(), in.GetMessageObjectId()); err != nil {
		return err
	}
	answer(w, &flwrpb.ConfirmMessageReceivedResponse{})
	return nil
}
