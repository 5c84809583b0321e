package fleet

import (
	"bytes"
	"io"
	"net/http"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Reply names a reply of a SuperNode by the message that it answers.
type Reply struct {
	FederationID int64
	EngineRunID  uint64
	MessageID    string
}

// sending is a reply that was announced, and the objects of it that the SuperLink still waits for.
type sending struct {
	reply   Reply
	objects map[string]struct{}
}

const (
	maxAnnounced = 4 << 20 // a longer answer to push-messages is not read: nobody is told of that reply
	maxSendings  = 16      // replies of one key on their way at once
)

// announced reads from the answer to push-messages which objects the SuperLink waits for. What was read of it is put back.
func (c *call) announced(res *http.Response) {
	m, ok := firstMessage(c.head)
	if !ok || m.replyTo == "" || c.g.o.OnReply == nil || res.ContentLength < 0 || res.ContentLength > maxAnnounced {
		return
	}
	text, err := io.ReadAll(res.Body)
	res.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(text), res.Body}
	if err != nil {
		return
	}
	s := sending{Reply{c.key.FederationID, m.run, m.replyTo}, objectsToPush(text)}
	if len(s.objects) == 0 {
		c.g.o.OnReply(s.reply)
		return
	}
	n := c.node
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sendings = slices.DeleteFunc(n.sendings, func(old sending) bool { return old.reply == s.reply })
	if len(n.sendings) >= maxSendings {
		n.sendings = n.sendings[1:] // one that was never completed
	}
	n.sendings = append(n.sendings, s)
}

func objectsToPush(answer []byte) map[string]struct{} {
	const objects = 3 // of PushMessagesResponse
	out := map[string]struct{}{}
	for len(answer) > 0 {
		num, typ, n := protowire.ConsumeTag(answer)
		if n < 0 {
			break
		}
		answer = answer[n:]
		if n = protowire.ConsumeFieldValue(num, typ, answer); n < 0 {
			break
		}
		if num == objects && typ == protowire.BytesType {
			id, _ := protowire.ConsumeString(answer)
			out[id] = struct{}{}
		}
		answer = answer[n:]
	}
	return out
}

// arrived notes an object that the SuperLink has, and tells of each reply that is complete with it.
func (c *call) arrived() {
	run, id := runAndObject(c.head)
	n := c.node
	var whole []Reply
	n.mu.Lock()
	n.sendings = slices.DeleteFunc(n.sendings, func(s sending) bool {
		_, waited := s.objects[id]
		if !waited || s.reply.EngineRunID != run || s.reply.FederationID != c.key.FederationID {
			return false
		}
		c.message = messageKey{s.reply.FederationID, run, s.reply.MessageID}
		delete(s.objects, id)
		if len(s.objects) == 0 {
			whole = append(whole, s.reply)
		}
		return len(s.objects) == 0
	})
	n.mu.Unlock()
	for _, r := range whole {
		c.g.o.OnReply(r)
	}
}
