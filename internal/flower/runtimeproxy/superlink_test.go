package runtimeproxy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// superlink is a fake: it plays the Runtime API of a SuperLink, with the SuperNodes behind it, as flwr 1.42 does where it matters
// here. A reply is given out once; who asks for it again gets an error reply in its place.
type superlink struct {
	t *testing.T

	mu      sync.Mutex
	calls   []string                    // "METHOD path" of everything that reached it
	replies map[string]packed           // what the SuperNodes will answer, by the message that they are asked with
	late    map[string]int              // polls that such a reply is late by
	asked   map[string]bool             // messages that were pushed and not answered yet
	objects map[string][]byte           // by id
	over    map[string]http.HandlerFunc // other answers, by the call's name
	reached func(name string)           // called when a call is here, before anything is done; may be nil
}

func newSuperlink(t *testing.T) *superlink {
	return &superlink{t: t, replies: map[string]packed{}, late: map[string]int{}, asked: map[string]bool{}, objects: map[string][]byte{}, over: map[string]http.HandlerFunc{}}
}

// script makes the SuperNodes answer the messages of the steps.
func (s *superlink) script(steps []step) {
	for _, st := range steps {
		for _, r := range st.Replies {
			s.replies[r.message(s.t).GetMetadata().GetReplyToMessageId()] = r
		}
	}
}

func (s *superlink) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.calls...)
}

func (s *superlink) count(name string) (n int) {
	for _, c := range s.seen() {
		if c == "POST "+prefix+name {
			n++
		}
	}
	return n
}

func (s *superlink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, prefix)
	s.mu.Lock()
	s.calls = append(s.calls, r.Method+" "+r.URL.RequestURI())
	over := s.over[name]
	s.mu.Unlock()
	if s.reached != nil {
		s.reached(name)
	}
	if over != nil {
		over(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the proxy gave the call up; nothing was done
	}
	s.mu.Lock()
	out, err := s.do(name, body)
	s.mu.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := proto.Marshal(out)
	if err != nil {
		s.t.Error(err)
	}
	w.Header().Set("Content-Type", "application/protobuf")
	_, _ = w.Write(answer)
}

func (s *superlink) do(name string, body []byte) (proto.Message, error) {
	switch name {
	case "push-messages":
		return s.pushMessages(body)
	case "push-object":
		var in flwrpb.PushObjectRequest
		err := proto.Unmarshal(body, &in)
		s.objects[in.GetObjectId()] = in.GetObjectContent()
		return &flwrpb.StopRunResponse{Success: true}, err // of the same form as flwr's PushObjectResponse
	case "pull-messages":
		return s.pullMessages(body)
	case "pull-object":
		var in flwrpb.PullObjectRequest
		err := proto.Unmarshal(body, &in)
		content, ok := s.objects[in.GetObjectId()]
		return &flwrpb.PullObjectResponse{ObjectFound: ok, ObjectAvailable: len(content) > 0, ObjectContent: content}, err
	case "confirm-message-received":
		var in flwrpb.ConfirmMessageReceivedRequest
		err := proto.Unmarshal(body, &in)
		delete(s.objects, in.GetMessageObjectId())
		return &flwrpb.UnregisterNodeResponse{}, err
	}
	return &flwrpb.UnregisterNodeResponse{}, nil
}

func (s *superlink) pushMessages(body []byte) (proto.Message, error) {
	var in flwrpb.PushAppMessagesRequest
	if err := proto.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	out := &flwrpb.PushAppMessagesResponse{}
	for i, m := range in.GetMessagesList() {
		id := m.GetMetadata().GetMessageId()
		s.asked[id] = true
		out.MessageIds = append(out.MessageIds, id)
		for _, o := range flatten(in.GetMessageObjectTrees()[i], nil) {
			if _, here := s.objects[o]; !here {
				out.ObjectsToPush = append(out.ObjectsToPush, o)
			}
		}
	}
	return out, nil
}

func (s *superlink) pullMessages(body []byte) (proto.Message, error) {
	var in flwrpb.PullAppMessagesRequest
	if err := proto.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	out := &flwrpb.PullAppMessagesResponse{}
	for _, id := range in.GetMessageIds() {
		if !s.asked[id] {
			out.MessagesList = append(out.MessagesList, unavailableReply(id))
			out.MessageObjectTrees = append(out.MessageObjectTrees, &flwrpb.ObjectTree{ObjectId: "unavailable-" + id})
			s.objects["unavailable-"+id] = []byte("Message  0\x00")
			continue
		}
		if s.late[id]--; s.late[id] >= 0 {
			continue
		}
		r, ok := s.replies[id]
		if !ok {
			continue
		}
		delete(s.asked, id)
		for object, content := range r.Objects {
			s.objects[object] = content
		}
		out.MessagesList = append(out.MessagesList, r.message(s.t))
		out.MessageObjectTrees = append(out.MessageObjectTrees, r.tree(s.t))
	}
	return out, nil
}

func unavailableReply(asked string) *flwrpb.Message {
	return &flwrpb.Message{Metadata: &flwrpb.Metadata{MessageId: "unavailable-" + asked, ReplyToMessageId: asked, SrcNodeId: 1, DstNodeId: 1, MessageType: "system"},
		Error: &flwrpb.Error{Code: 3, Reason: "Message Unavailable"}}
}

// serve starts a server and returns its address.
func serve(t *testing.T, h http.Handler) *url.URL {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// objectOf makes an object as flwr does: a header, a zero byte, a body.
func objectOf(kind string, body []byte) (id string, content []byte) {
	content = append(fmt.Appendf(nil, "%s  %d\x00", kind, len(body)), body...)
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), content
}

// flatten lists the objects of a tree.
func flatten(t *flwrpb.ObjectTree, into []string) []string {
	into = append(into, t.GetObjectId())
	for _, c := range t.GetChildren() {
		into = flatten(c, into)
	}
	return into
}
