package observe

import (
	"context"
	"io"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire/flwrpb"
)

// The methods here are for a proxy, which sees a reply's objects only as the ServerApp pulls them one by one.

// Replies notes what the SuperLink answered to a poll. Error replies are stored now, the others when the ServerApp confirms them.
func (o *Observer) Replies(ctx context.Context, out *flwrpb.PullAppMessagesResponse) bool {
	now := o.o.Clock().UTC()
	var seen domain.Observation
	for i, m := range out.GetMessagesList() {
		e, ok := o.replyTo(m, now)
		if !ok {
			continue
		}
		if e.Failed {
			seen.Exchanges = append(seen.Exchanges, e)
		}
		o.memo.replied(e)
		if i < len(out.GetMessageObjectTrees()) {
			tree := out.GetMessageObjectTrees()[i]
			e.ReplyObject = cut(tree.GetObjectId(), 128)
			o.memo.expect(reply{exchange: e, objects: flatten(tree), message: m, tree: tree})
		}
	}
	return o.store(ctx, seen)
}

// Again returns the replies that a ServerApp asks for although they were given to it and it has not confirmed them. The SuperLink hands
// out a reply once and tells whoever asks again that the message is unavailable (flwr 1.42, linkstate/utils.py), so a reply whose answer
// got lost would count as a failed one.
func (o *Observer) Again(asked []string) *flwrpb.PullAppMessagesResponse { return o.memo.again(asked) }

// Pulled remembers an object that the ServerApp gets, if it says something of what a reply measures or how its arrays are made.
func (o *Observer) Pulled(id string, content []byte) {
	o.memo.object(id, content)
	o.shapes.object(id, content)
}

// PulledLarge returns a reader of an answer to pull-object whose object is too large for [Observer.Pulled]. If it is a record of
// numbers, what is kept of it is read on the way and the rest counted: nothing of a reply is left out in silence. The answer has length
// bytes and begins with head, [Head] bytes of it or all.
func (o *Observer) PulledLarge(id string, head []byte, answer io.Reader, length int64) io.Reader {
	kind, at := recordIn(head)
	if kind == "" {
		return answer
	}
	return o.sieve(id, kind, at, answer, length)
}

func (o *Observer) sieve(id, kind string, at int, in io.Reader, length int64) io.Reader {
	return &sieve{in: in, left: length, skip: int64(at), config: kind == "ConfigRecord", done: func(read object) {
		o.memo.mu.Lock()
		defer o.memo.mu.Unlock()
		o.memo.remember(id, read)
	}}
}

// Confirm stores a reply whose objects the ServerApp has all pulled. It must be called before the SuperLink hears of it.
func (o *Observer) Confirm(ctx context.Context, id string) bool {
	r, ok := o.memo.take(id)
	if !ok || r.exchange.Failed { // an error reply is stored when it is pulled
		return true
	}
	seen, is := o.measured(r.exchange, r.objects)
	if !o.store(ctx, seen) {
		return false
	}
	o.shapes.reply(r.exchange, is)
	return true
}

// Confirmed forgets a reply that the ServerApp has confirmed and the SuperLink has let go of.
func (o *Observer) Confirmed(id string) {
	o.memo.forget(id)
	o.collecting.Lock()
	defer o.collecting.Unlock()
	delete(o.collected, id)
}
