package superlink

import (
	"fmt"
	"math"
	"slices"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

const (
	maxTree       = 1 << 20           // objects of a message
	uploadWithin  = 180 * time.Second // between two objects of a message that is being sent (Flower's push session)
	givenAgain    = 30 * time.Second  // after the last sign that a SuperNode fetches a message
	ttlTolerance  = 0.1               // seconds by which a reply may outlive its message (flwr 1.42)
	leastCreation = 1740700800        // 28 February 2025: Flower takes no message that claims to be older
)

// Flower's codes of an error reply that the SuperLink gives in a SuperNode's place, and its words for them.
const (
	codeMessageUnavailable = 3
	codeNodeUnavailable    = 5

	reasonMessage = "Error: Message Unavailable - The message is not known. It may have expired, or it never existed."
	reasonNode    = "Error: Node Unavailable - The SuperNode sent no heartbeat within twice the time that it had announced, or said goodbye."
	reasonUpload  = "Error: Message Unavailable - The SuperNode sent no object of its reply for 180 s, and the reply is not whole."
	reasonFull    = "Error: Message Unavailable - The run has reached its limit of messages and replies that the ServerApp has not received."
	reasonUnsent  = "Error: Message Unavailable - The ServerApp did not send all objects of this message."
)

// letter is a message to a SuperNode, or a reply.
type letter struct {
	row     LetterRow
	meta    *flwrpb.Metadata
	objects []string        // its tree's, each once, the root first
	missing int             // of them
	until   time.Time       // when it is given up unless another object comes; counts while objects are missing
	given   bool            // to its SuperNode; not stored: after a restart, what is not confirmed is given again at once
	touched time.Time       // when its receiver was last seen to fetch it
	reply   *letter         // to this message
	to      *letter         // the message that this reply answers
	has     map[string]bool // the objects, made when they are first asked for
}

func (m *letter) whole() bool { return m.missing == 0 }

// expires is when the message or reply is worth nothing any more.
func (m *letter) expires() time.Time { return unix(m.meta.GetCreatedAt() + m.meta.GetTtl()) }

// answered reports whether the reply to this message can be given.
func (m *letter) answered() bool { return m.reply != nil && m.reply.whole() }

func (m *letter) holds(object string) bool {
	if m.has == nil {
		m.has = make(map[string]bool, len(m.objects))
		for _, id := range m.objects {
			m.has[id] = true
		}
	}
	return m.has[object]
}

// unix converts Flower's times, seconds as a floating-point number. What is out of reach becomes the end of time.
func unix(seconds float64) time.Time {
	if math.IsNaN(seconds) || seconds > 1<<40 {
		return time.Unix(1<<40, 0)
	}
	return time.UnixMicro(int64(max(seconds, 0) * 1e6))
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// checked checks what Flower checks of every message (flwr 1.42, server/utils/validator.py), and that it is what its tree says.
func checked(m *flwrpb.Message, tree *flwrpb.ObjectTree, reply bool, now time.Time) ([]string, error) {
	meta := m.GetMetadata()
	created, ttl := meta.GetCreatedAt(), meta.GetTtl()
	switch {
	case meta.GetMessageId() == "", meta.GetMessageId() != tree.GetObjectId():
		return nil, invalid("metadata.message_id is not the name of the message's root object")
	case !(created >= leastCreation), !(ttl > 0), !(created+ttl > seconds(now)): // NaN is none of it
		return nil, invalid("the message has expired, or its times are not valid")
	case meta.GetSrcNodeId() == 0, meta.GetDstNodeId() == 0, meta.GetMessageType() == "":
		return nil, invalid("metadata.src_node_id, dst_node_id and message_type must be set")
	case reply && (meta.GetReplyToMessageId() == "" || meta.GetSrcNodeId() == ServerID || meta.GetDstNodeId() != ServerID):
		return nil, invalid("a reply goes from a SuperNode to the SuperLink and names the message it answers")
	case !reply && (meta.GetReplyToMessageId() != "" || meta.GetSrcNodeId() != ServerID):
		return nil, invalid("a message comes from the SuperLink and answers nothing")
	}
	ids, err := wire.TreeIDs(tree, maxTree)
	if err != nil {
		return nil, invalid(err.Error())
	}
	return ids, nil
}

// newLetter takes a message or reply with its objects into the state. The caller has checked it and knows the run.
func (l *Link) newLetter(m *flwrpb.Message, tree *flwrpb.ObjectTree, ids []string, now time.Time) (*letter, error) {
	text, err := proto.Marshal(m)
	if err != nil {
		return nil, invalid(err.Error())
	}
	shape, err := proto.Marshal(tree)
	if err != nil {
		return nil, invalid(err.Error())
	}
	meta := m.GetMetadata()
	row := LetterRow{ID: meta.GetMessageId(), RunID: meta.GetRunId(), NodeID: meta.GetDstNodeId(), ReplyTo: meta.GetReplyToMessageId(),
		Message: text, Tree: shape}
	if row.ReplyTo != "" {
		row.NodeID = meta.GetSrcNodeId()
	}
	c := &letter{row: row, meta: meta, objects: ids, until: now.Add(uploadWithin)}
	l.add(c)
	l.hold(c)
	return c, nil
}

// letterWeight estimates the memory of a message or reply in bytes, from the encoded sizes of the message and of its tree.
func letterWeight(message, tree int) int64 { return int64(message + 2*tree + 1000) }

func (m *letter) weight() int64 { return letterWeight(len(m.row.Message), len(m.row.Tree)) }

// crowded reports whether a run has no memory left for so many more bytes of messages and replies.
func (l *Link) crowded(r *run, more int64) bool { return r.pending+more > l.o.MostPending }

// add takes a message or reply into the state.
func (l *Link) add(c *letter) {
	l.letters[c.row.ID] = c
	if r := l.runs[c.row.RunID]; r != nil {
		r.pending += c.weight()
	}
}

// arrived does what follows when all objects of a message or reply are here.
func (l *Link) arrived(c *letter) {
	switch r := l.runs[c.row.RunID]; {
	case c.to != nil:
		l.settle(c.to)
	case r != nil:
		if n := l.nodes[c.row.NodeID]; n != nil {
			n.wake()
		}
	}
}

// settle takes a message that has its reply off its SuperNode's hands and tells who waits.
func (l *Link) settle(m *letter) {
	l.unmail(m)
	if r := l.runs[m.row.RunID]; r != nil {
		r.wake()
	}
}

func (l *Link) unmail(m *letter) {
	if n := l.nodes[m.row.NodeID]; n != nil {
		n.mail = slices.DeleteFunc(n.mail, func(o *letter) bool { return o == m })
	}
}

// drop removes a message with its reply, or a reply, and the objects that nothing else needs.
func (l *Link) drop(c *letter) (out []Change) {
	if l.letters[c.row.ID] != c {
		return nil
	}
	delete(l.letters, c.row.ID)
	if r := l.runs[c.row.RunID]; r != nil {
		r.pending -= c.weight()
	}
	out = append(out, DropLetter(c.row.ID))
	out = append(out, l.release(c)...)
	if c.to != nil {
		c.to.reply = nil
		return out
	}
	l.unmail(c)
	if r := l.runs[c.row.RunID]; r != nil {
		delete(r.letters, c.row.ID)
		if c.row.ReplyTo != "" {
			delete(r.unknown, c.row.ReplyTo)
		}
	}
	if c.reply != nil {
		out = append(out, l.drop(c.reply)...)
	}
	return out
}

// stand answers a message with an error in its SuperNode's place. A reply that is not whole gives way.
func (l *Link) stand(m *letter, code int, reason string, now time.Time) (out []Change) {
	if m.answered() {
		return nil
	}
	if m.reply != nil {
		out = l.drop(m.reply)
	}
	meta := proto.Clone(m.meta).(*flwrpb.Metadata)
	// As Flower's: an error that the SuperLink gives comes from the SuperLink, and lives as long as the message would have.
	meta.MessageId, meta.DstNodeId, meta.SrcNodeId = m.row.ID, ServerID, ServerID
	meta.Ttl = max(meta.GetTtl(), seconds(now)-meta.GetCreatedAt())
	c, changes, err := l.errorLetter(&flwrpb.Message{Metadata: meta}, code, reason, now)
	if err != nil {
		l.o.Log.Error("making an error reply", "err", err)
		return out
	}
	c.row.NodeID, c.to, m.reply = m.row.NodeID, m, c
	changes = append(changes, c.row)
	l.settle(m)
	return append(out, changes...)
}

// errorLetter makes an error reply, which is one object, and takes it into the state.
func (l *Link) errorLetter(to *flwrpb.Message, code int, reason string, now time.Time) (*letter, []Change, error) {
	reply, tree, content, err := wire.ErrorReply(to, code, reason, now)
	if err != nil {
		return nil, nil, err
	}
	c, err := l.newLetter(reply, tree, []string{tree.GetObjectId()}, now)
	if err != nil {
		return nil, nil, err
	}
	return c, l.put(tree.GetObjectId(), 0, int64(len(content)), content, now), nil
}

// unreachable answers all that a SuperNode, which is gone, was asked.
func (l *Link) unreachable(n *node, now time.Time) (out []Change) {
	for _, m := range slices.Clone(n.mail) {
		out = append(out, l.stand(m, codeNodeUnavailable, reasonNode, now)...)
	}
	return out
}

// take gives a SuperNode its next message, nil where there is none. A message that was given and not confirmed is given again when the
// SuperNode has shown no interest in it for a while: the answer was lost.
func (l *Link) take(nodeID uint64) (m *letter, news <-chan struct{}, err error) {
	err = l.change(func(now time.Time) ([]Change, error) {
		n := l.nodes[nodeID]
		if n == nil || n.Status == Unregistered {
			return nil, errUnknownNode
		}
		news = n.news
		for _, c := range n.mail {
			if !c.whole() || c.row.State == Confirmed || !now.Before(c.expires()) || c.given && now.Sub(c.touched) < givenAgain {
				continue
			}
			m, c.given, c.touched = c, true, now
			return nil, nil
		}
		return nil, nil
	})
	return m, news, err
}

// confirm notes that a SuperNode has all of a message: its objects are not needed any more.
func (l *Link) confirm(nodeID, runID uint64, id string) error {
	return l.change(func(time.Time) ([]Change, error) {
		if err := l.open(runID); err != nil {
			return nil, err
		}
		m := l.letters[id]
		if m == nil || m.to != nil || m.row.NodeID != nodeID || m.row.RunID != runID || m.row.State == Confirmed || !m.whole() {
			return nil, nil // Flower confirms anything
		}
		m.row.State = Confirmed
		return append(l.release(m), m.row), nil
	})
}

// announce takes a reply. It returns the names of the objects that are still to come. A reply that came before is the same; another one to
// a message that has been answered, by the SuperNode or in its place, is passed over in silence, as Flower does.
func (l *Link) announce(m *flwrpb.Message, tree *flwrpb.ObjectTree, nodeID uint64, clientSeconds float64, size int) (missing []string,
	err error) {
	meta := m.GetMetadata()
	ids, fault := checked(m, tree, true, l.o.Clock()) // a large tree takes a while: not under the lock
	err = l.change(func(now time.Time) ([]Change, error) {
		if err := l.open(meta.GetRunId()); err != nil {
			return nil, err
		}
		r := l.runs[meta.GetRunId()]
		to := l.letters[meta.GetReplyToMessageId()]
		if fault != nil || to == nil || to.to != nil || to.row.RunID != r.ID || to.row.NodeID != nodeID || meta.GetSrcNodeId() != nodeID ||
			!now.Before(to.expires()) || seconds(to.expires())-meta.GetCreatedAt()+ttlTolerance < meta.GetTtl() {
			l.o.Log.Warn("a reply that cannot be taken", "run", r.ID, "node", nodeID, "err", fault)
			return nil, nil //nolint:nilerr // ignored, as Flower does
		}
		if old := to.reply; old != nil && (old.row.ID == meta.GetMessageId() || old.whole()) {
			if old.row.ID == meta.GetMessageId() {
				old.until = now.Add(uploadWithin)
				missing = l.missing(old)
			}
			return nil, nil
		}
		if l.letters[meta.GetMessageId()] != nil {
			return nil, nil // the name of another message
		}
		if l.crowded(r, letterWeight(size, 0)) {
			return l.stand(to, codeMessageUnavailable, reasonFull, now), nil
		}
		var out []Change
		if to.reply != nil {
			out = l.drop(to.reply)
		}
		c, err := l.newLetter(m, tree, ids, now)
		if err != nil {
			return out, nil //nolint:nilerr // passed over, like every reply that cannot be taken
		}
		c.to, to.reply = to, c
		r.BytesReceived += uint64(size)
		if clientSeconds > 0 && clientSeconds < 1e9 {
			r.ClientSeconds += clientSeconds
		}
		missing = l.missing(c)
		if c.whole() {
			l.arrived(c)
		}
		return append(out, c.row, r.RunRow), nil
	})
	return missing, err
}

// missing lists the objects that a message or reply still waits for, in its order.
func (l *Link) missing(c *letter) (out []string) {
	for _, id := range c.objects {
		if o := l.objects[id]; o != nil && !o.here {
			out = append(out, id)
		}
	}
	return out
}

func invalid(why string) error {
	return &refusal{status: 400, code: 0, detail: fmt.Sprintf("Invalid message: %s.", why)}
}
