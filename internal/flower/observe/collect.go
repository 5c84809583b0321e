package observe

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire/flwrpb"
)

// Reply is a reply with the tree of its objects, all of which the SuperLink has.
type Reply struct {
	Message *flwrpb.Message
	Tree    *flwrpb.ObjectTree
}

// Object is an object of a reply: in memory, or a large one to be read, which the reader closes.
type Object struct {
	Content []byte
	Large   io.ReadCloser // nil: Content is all of it
	Size    int64         // of a large one
}

// Objects gives the content of a reply's object: an empty Object for one that is lost. After an error the reply is read again later.
type Objects func(ctx context.Context, id string) (Object, error)

// Replies are stored in portions: what has been stored stays so if the time, or the ServerApp's patience, is over before all are.
const (
	portionReplies = 50
	portionSize    = 20_000 // metrics and arrays
	collectFor     = 10 * time.Second
)

// portion is some replies that are stored in one transaction.
type portion struct {
	seen    domain.Observation
	replies []collected
	size    int
}

// collected is a reply that is not stored yet.
type collected struct {
	id       string // empty for a message that answers nothing, or a reply that is stored
	exchange domain.Exchange
	seen     domain.Observation
	is       made
}

func (p *portion) add(c collected) {
	if c.id == "" {
		return
	}
	p.size += len(c.seen.Metrics) + len(c.is.arrays)
	p.seen.Exchanges, p.seen.Metrics = append(p.seen.Exchanges, c.seen.Exchanges...), append(p.seen.Metrics, c.seen.Metrics...)
	p.seen.Dropped += c.seen.Dropped
	c.seen = domain.Observation{}
	p.replies = append(p.replies, c)
}

func (p *portion) full() bool { return len(p.replies) >= portionReplies || p.size >= portionSize }

// Collect reads and stores replies, before the SuperLink hands them to the ServerApp, each one the first time only. Records of numbers and
// the descriptions of arrays are read, the arrays themselves are not.
//
// It returns how many of the replies, from the first on, are stored. The others must not be handed out: they are to be collected again,
// because they could not be read or stored now, or because Collect has worked for about 10 s.
func (o *Observer) Collect(ctx context.Context, replies []Reply, objects Objects) (stored int) {
	o.collecting.Lock()
	defer o.collecting.Unlock()
	if len(o.collected) > maxReplies {
		clear(o.collected) // what is stored twice changes nothing
	}
	began := o.o.Clock()
	late := func() bool { return o.o.Clock().Sub(began) >= collectFor }
	var p portion
	flush := func(upTo int) bool {
		if !o.keep(ctx, &p) {
			return false
		}
		stored = upTo
		return true
	}
	for i, r := range replies {
		c, err := o.collect(ctx, r, objects)
		if err != nil {
			o.o.Logger.Error("reading a reply's records", "run", o.o.EngineRunID, "err", err)
			flush(i)
			return stored
		}
		alone := c.seen.Dropped > 0 // the count belongs to this reply
		if alone && !flush(i) {
			return stored
		}
		p.add(c)
		due := alone || late() || p.full() || i == len(replies)-1
		if due && (!flush(i+1) || late()) {
			return stored
		}
	}
	return stored
}

// keep stores a portion and empties it.
func (o *Observer) keep(ctx context.Context, p *portion) bool {
	if !o.store(ctx, p.seen) {
		return false
	}
	for _, c := range p.replies {
		o.collected[c.id] = true
		if !c.exchange.Failed {
			o.shapes.reply(c.exchange, c.is)
		}
	}
	*p = portion{}
	return true
}

// collect reads a reply.
func (o *Observer) collect(ctx context.Context, r Reply, objects Objects) (c collected, err error) {
	id := r.Message.GetMetadata().GetMessageId()
	e, ok := o.replyTo(r.Message, o.o.Clock().UTC())
	if !ok || o.collected[id] {
		return collected{}, nil
	}
	e.ReplyObject = cut(r.Tree.GetObjectId(), 128)
	o.memo.replied(e)
	c = collected{id: id, exchange: e}
	if e.Failed {
		c.seen.Exchanges = []domain.Exchange{e}
		return c, nil
	}
	// Also if the ServerApp has gone away meanwhile: else a reply that takes long would be begun again with each of its polls.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.o.StoreWait)
	defer cancel()
	if err := o.readTree(ctx, r.Tree, objects, map[string]bool{}); err != nil {
		return collected{}, err
	}
	c.seen, c.is = o.measured(e, flatten(r.Tree))
	return c, nil
}

// readTree reads the objects of a tree down to the descriptions of arrays, below which there is only content.
func (o *Observer) readTree(ctx context.Context, t *flwrpb.ObjectTree, objects Objects, done map[string]bool) error {
	id := t.GetObjectId()
	if done[id] || len(done) >= maxObjects {
		return nil
	}
	done[id] = true
	if !o.knows(id) {
		leaf, err := o.readObject(ctx, id, objects)
		if err != nil || leaf {
			return err
		}
	}
	for _, c := range t.GetChildren() {
		if err := o.readTree(ctx, c, objects, done); err != nil {
			return err
		}
	}
	return nil
}

// knows reports whether a record was read before: equal objects have one name.
func (o *Observer) knows(id string) bool {
	o.memo.mu.Lock()
	defer o.memo.mu.Unlock()
	read, ok := o.memo.objects.get(id)
	return ok && read.names == nil
}

// readObject reads one object; it reports whether those below it tell nothing.
func (o *Observer) readObject(ctx context.Context, id string, objects Objects) (leaf bool, err error) {
	found, err := objects(ctx, id)
	if err != nil {
		return false, err
	}
	if found.Large != nil {
		defer found.Large.Close()
		if found.Size > MaxDecoded {
			return o.readLarge(id, found)
		}
		if found.Content, err = io.ReadAll(found.Large); err != nil {
			return false, err
		}
	}
	o.Pulled(id, found.Content)
	kind, _, _ := bytes.Cut(found.Content[:min(len(found.Content), 16)], []byte{' '})
	return string(kind) == "Array" || string(kind) == "ArrayChunk", nil
}

func (o *Observer) readLarge(id string, found Object) (leaf bool, err error) {
	in := bufio.NewReaderSize(found.Large, Head)
	head, _ := in.Peek(Head) // an error comes again when it is read
	kind, at := recordAt(head)
	if kind == "" {
		return bytes.HasPrefix(head, []byte("ArrayChunk ")), nil
	}
	_, err = io.Copy(io.Discard, o.sieve(id, kind, at, in, found.Size))
	return true, err
}
