package fleet

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
)

// TimingStore keeps what the gateway saw of messages on their way.
type TimingStore interface {
	// SaveTimings stores times that are known for the first time and adds bytes; see [domain.Timing].
	SaveTimings(ctx context.Context, ts []domain.Timing) error
}

// messageKey names one message of a run: the one that a ServerApp sent to a SuperNode.
type messageKey struct {
	federationID int64
	run          uint64
	id           string
}

// timings are the observations that are not stored yet. They are merged here and stored in batches, so that no call waits for them.
type timings struct {
	mu      sync.Mutex
	pending map[messageKey]*domain.Timing
}

// maxPending bounds the observations that wait for a store that does not answer; what is beyond is not told.
const maxPending = 100_000

// note merges an observation: of each time the first, but of the last object the last.
func (t *timings) note(k messageKey, node uint64, see func(*domain.Timing)) {
	if k.id == "" || k.run == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.pending[k]
	if p == nil {
		if len(t.pending) >= maxPending {
			return
		}
		p = &domain.Timing{FederationID: k.federationID, EngineRunID: k.run, MessageID: k.id, NodeID: node}
		t.pending[k] = p
	}
	see(p)
}

func first(at *time.Time, now time.Time) {
	if at.IsZero() {
		*at = now
	}
}

// take returns what waits, to be stored.
func (t *timings) take() []domain.Timing {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]domain.Timing, 0, len(t.pending))
	for _, p := range t.pending {
		out = append(out, *p)
	}
	clear(t.pending)
	return out
}

// back takes what could not be stored.
func (t *timings) back(all []domain.Timing) {
	for _, old := range all {
		t.note(messageKey{old.FederationID, old.EngineRunID, old.MessageID}, old.NodeID, func(p *domain.Timing) {
			merged := old
			merged.Up, merged.Down = old.Up+p.Up, old.Down+p.Down
			for _, at := range [][2]*time.Time{{&merged.TakenAt, &p.TakenAt}, {&merged.GetAt, &p.GetAt}, {&merged.GotAt, &p.GotAt},
				{&merged.PutAt, &p.PutAt}} {
				first(at[0], *at[1])
			}
			if p.SentAt.After(merged.SentAt) {
				merged.SentAt = p.SentAt
			}
			if p.Reply != "" {
				merged.Reply = p.Reply
			}
			*p = merged
		})
	}
}

// flushTimings stores what waits; after an error the same is tried at the next call.
func (g *Gateway) flushTimings(ctx context.Context) error {
	if g.o.Timings == nil {
		return nil
	}
	all := g.timings.take()
	for len(all) > 0 {
		part := all[:min(len(all), timingsAtOnce)]
		if err := g.o.Timings.SaveTimings(ctx, part); err != nil {
			g.timings.back(all)
			return err
		}
		all = all[len(part):]
	}
	return nil
}

// timingsAtOnce is how many are stored at once: others write into the same database.
const timingsAtOnce = 500

// maxPeek is how much of a body is looked at to find whose message it is: the first message's metadata comes first.
const maxPeek = 4 << 10

// peekMessage finds the message that an answer to pull-messages brings. What was read of it is put back.
func (c *call) peekMessage(res *http.Response) {
	head := make([]byte, maxPeek)
	n, _ := io.ReadFull(res.Body, head) // a short one is whole; an error comes again when the rest is read
	head = head[:n]
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), res.Body), res.Body}
	if m, ok := firstMessage(head); ok {
		c.message = messageKey{c.key.FederationID, m.run, m.id}
	}
}

type metadata struct {
	run         uint64
	id, replyTo string
}

// firstMessage reads the metadata of the first message of PullMessagesResponse or PushMessagesRequest, which may be cut off after it.
func firstMessage(b []byte) (m metadata, ok bool) {
	const messagesList, meta = 2, 1
	list, ok := field2(b, messagesList)
	if !ok {
		return m, false
	}
	inner, ok := field2(list, meta)
	if !ok {
		return m, false
	}
	for len(inner) > 0 {
		num, typ, n := protowire.ConsumeTag(inner)
		if n < 0 {
			break
		}
		inner = inner[n:]
		switch {
		case num == 1 && typ == protowire.VarintType:
			m.run, n = protowire.ConsumeVarint(inner)
		case num == 2 && typ == protowire.BytesType:
			m.id, n = protowire.ConsumeString(inner)
		case num == 5 && typ == protowire.BytesType:
			m.replyTo, n = protowire.ConsumeString(inner)
		default:
			n = protowire.ConsumeFieldValue(num, typ, inner)
		}
		if n < 0 {
			break
		}
		inner = inner[n:]
	}
	return m, m.run != 0
}

// field2 returns the content of the first field with a number, as far as it is there.
func field2(b []byte, want protowire.Number) ([]byte, bool) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, false
		}
		b = b[n:]
		if num == want && typ == protowire.BytesType {
			size, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return nil, false
			}
			b = b[n:]
			return b[:min(uint64(len(b)), size)], true
		}
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return nil, false
		}
		b = b[n:]
	}
	return nil, false
}

// runAndObject reads the run, and the object's id, of a request about an object, a run or a FAB.
func runAndObject(b []byte) (run uint64, id string) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || num > 3 {
			return run, id
		}
		b = b[n:]
		switch {
		case (num == 2 || num == 3) && typ == protowire.VarintType: // GetFabRequest has it at 3
			run, n = protowire.ConsumeVarint(b)
		case num == 3 && typ == protowire.BytesType:
			id, n = protowire.ConsumeString(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return run, id
		}
		b = b[n:]
	}
	return run, id
}

// timed notes what a call that went well tells of a message's way. in and out are its bytes.
func (c *call) timed(in, out int64) {
	if !c.went || c.g.o.Timings == nil {
		return
	}
	now, fed, own := c.ended, c.key.FederationID, c.key.NodeID
	about := func(t *trail) messageKey {
		run, _ := runAndObject(c.head)
		return c.node.followed(t, run)
	}
	note := func(k messageKey, see func(*domain.Timing)) {
		c.g.timings.note(k, own, func(t *domain.Timing) {
			t.Up, t.Down = t.Up+in, t.Down+out
			see(t)
		})
	}
	switch c.meth.step {
	case stepTake:
		if c.message.id != "" {
			c.node.follow(&c.node.down, c.message)
			note(c.message, func(t *domain.Timing) { first(&t.TakenAt, now) })
		}
	case stepGet:
		note(about(&c.node.down), func(t *domain.Timing) { first(&t.GetAt, c.began) })
	case stepPrepare:
		note(about(&c.node.down), func(*domain.Timing) {})
	case stepGot:
		run, id := runAndObject(c.head)
		note(messageKey{fed, run, id}, func(t *domain.Timing) { first(&t.GotAt, now) })
	case stepPut:
		if m, ok := firstMessage(c.head); ok {
			k := messageKey{fed, m.run, m.replyTo}
			c.node.follow(&c.node.up, k)
			note(k, func(t *domain.Timing) { first(&t.PutAt, c.began); t.SentAt, t.Reply = now, storedID(m.id) })
		}
	case stepSend:
		k := c.message // with several replies on their way at once, the one that this object belongs to
		if k.id == "" {
			k = about(&c.node.up)
		}
		note(k, func(t *domain.Timing) { t.SentAt = now })
	}
}

// trail is the newest message of each run that a SuperNode is getting, or answering, the newest last.
type trail []messageKey

// maxTrail is how many runs a trail has. Few take turns at one SuperNode.
const maxTrail = 16

// follow remembers a message: the calls about its objects and its run do not name it.
func (n *node) follow(t *trail, k messageKey) {
	n.mu.Lock()
	defer n.mu.Unlock()
	*t = slices.DeleteFunc(*t, func(old messageKey) bool { return old.run == k.run })
	*t = append((*t)[max(0, len(*t)-maxTrail+1):], k)
}

// followed returns the newest message of a run; none if it is not followed.
func (n *node) followed(t *trail, run uint64) messageKey {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, k := range *t {
		if k.run == run {
			return k
		}
	}
	return messageKey{}
}

// storedID returns an object's id as it is stored; a text of another form names no object.
func storedID(id string) string {
	if wire.IsObjectID(id) {
		return id
	}
	return ""
}
