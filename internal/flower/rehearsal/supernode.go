package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

const (
	contentType = "application/protobuf"
	pollHold    = 20 * time.Second
)

func readBody(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errTooLarge
	}
	return body, err
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, errTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errUnknownCall):
		return http.StatusForbidden
	}
	return http.StatusBadRequest
}

func refusal(why string) []byte {
	text, _ := json.Marshal(map[string]any{"code": 0, "detail": why}) // strings always encode
	return text
}

func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(refusal(why))
}

// RoundTrip implements [http.RoundTripper]: it answers the Fleet API's calls of this machine's SuperNode without a connection.
func (l *Link) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := readBody(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, err
	}
	res := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	out, err := l.fleet(r.Context(), r.URL.Path, body)
	var text []byte
	if err == nil {
		text, err = proto.Marshal(out)
	}
	if r.Context().Err() != nil {
		return nil, context.Cause(r.Context())
	}
	if err != nil {
		res.StatusCode, text = statusOf(err), refusal(err.Error())
	}
	res.Status, res.ContentLength = fmt.Sprintf("%d %s", res.StatusCode, http.StatusText(res.StatusCode)), int64(len(text))
	res.Body = io.NopCloser(bytes.NewReader(text))
	return res, nil
}

func (l *Link) fleet(ctx context.Context, path string, body []byte) (proto.Message, error) {
	switch path {
	case "/v1/fleet/activate-node":
		return &flwrpb.ActivateNodeResponse{NodeId: NodeID}, nil
	case "/v1/fleet/deactivate-node":
		return &flwrpb.DeactivateNodeResponse{}, nil
	case "/v1/fleet/send-node-heartbeat":
		return &flwrpb.SendNodeHeartbeatResponse{Success: true}, nil
	case "/v1/fleet/get-run":
		return &flwrpb.GetRunResponse{Run: l.run}, nil
	case "/v1/fleet/get-fab":
		return &flwrpb.GetFabResponse{Fab: &flwrpb.Fab{HashStr: l.run.GetFabHash(), Content: l.o.FAB}}, nil
	case "/v1/fleet/pull-messages":
		return l.poll(ctx), nil
	case "/v1/fleet/pull-object":
		return l.pullObject(body)
	case "/v1/fleet/confirm-message-received":
		return &flwrpb.ConfirmMessageReceivedResponse{}, nil
	case "/v1/fleet/push-messages":
		return l.pushReply(body)
	case "/v1/fleet/push-object":
		return l.pushObject(body)
	}
	return nil, errUnknownCall
}

// poll gives the SuperNode a message; it waits a while for one.
func (l *Link) poll(ctx context.Context) proto.Message {
	limit := time.NewTimer(pollHold)
	defer limit.Stop()
	for {
		l.mu.Lock()
		next := l.changed
		if len(l.queue) > 0 {
			w := l.queue[0]
			l.queue = l.queue[1:]
			l.mu.Unlock()
			return &flwrpb.PullMessagesResponse{MessagesList: []*flwrpb.Message{w.message}, MessageObjectTrees: []*flwrpb.ObjectTree{w.tree}}
		}
		l.mu.Unlock()
		select {
		case <-next:
		case <-limit.C:
			return &flwrpb.PullMessagesResponse{}
		case <-ctx.Done():
			return &flwrpb.PullMessagesResponse{}
		}
	}
}

// pushReply takes the SuperNode's reply to a message.
func (l *Link) pushReply(body []byte) (proto.Message, error) {
	var in flwrpb.PushMessagesRequest
	if err := proto.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	if len(in.GetMessagesList()) != 1 || len(in.GetMessageObjectTrees()) != 1 {
		return nil, errors.New("a SuperNode sends one reply with one object tree")
	}
	m, tree := in.GetMessagesList()[0], in.GetMessageObjectTrees()[0]
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.works[m.GetMetadata().GetReplyToMessageId()]
	if w == nil || m.GetMetadata().GetMessageId() != tree.GetObjectId() {
		return nil, errors.New("a reply to an unknown message")
	}
	ids, missing, err := l.store.announce(tree)
	if err != nil {
		return nil, err
	}
	w.reply, w.replyTree, w.replyIDs = m, tree, ids
	return &flwrpb.PushMessagesResponse{ObjectsToPush: missing, SessionId: "rehearsal"}, nil
}

func (l *Link) pushObject(body []byte) (proto.Message, error) {
	var in flwrpb.PushObjectRequest
	if err := proto.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.store.put(in.GetObjectId(), in.GetObjectContent()); err != nil {
		return nil, err
	}
	l.notify()
	return &flwrpb.PushObjectResponse{Stored: true}, nil
}

func (l *Link) pullObject(body []byte) (proto.Message, error) {
	var in flwrpb.PullObjectRequest
	if err := proto.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.store.pull(in.GetObjectId())
}
