package observe

import (
	"bufio"
	"bytes"
	"context"
	"io"

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

// Objects gives the content of a reply's object.
type Objects func(ctx context.Context, id string) (Object, error)

// Collect reads and stores replies, before the SuperLink hands them to the ServerApp: all of them at once, each one the first time only.
// Records of numbers and the descriptions of arrays are read, the arrays themselves are not.
func (o *Observer) Collect(ctx context.Context, replies []Reply, objects Objects) bool {
	o.collecting.Lock()
	defer o.collecting.Unlock()
	if len(o.collected) > maxReplies {
		clear(o.collected) // what is stored twice changes nothing
	}
	now := o.o.Clock().UTC()
	var all domain.Observation
	var fresh []string
	for _, r := range replies {
		id := r.Message.GetMetadata().GetMessageId()
		e, ok := o.replyTo(r.Message, now)
		if !ok || o.collected[id] {
			continue
		}
		e.ReplyObject = cut(r.Tree.GetObjectId(), 128)
		o.memo.replied(e)
		fresh = append(fresh, id)
		if e.Failed {
			all.Exchanges = append(all.Exchanges, e)
			continue
		}
		if err := o.readTree(ctx, r.Tree, objects, map[string]bool{}); err != nil {
			o.o.Logger.Error("reading a reply's records", "run", o.o.EngineRunID, "err", err)
			return false
		}
		seen := o.measured(e, flatten(r.Tree, nil))
		if seen.Dropped > 0 { // the count belongs to this reply alone
			if !o.store(ctx, seen) {
				return false
			}
			continue
		}
		all.Exchanges, all.Metrics = append(all.Exchanges, seen.Exchanges...), append(all.Metrics, seen.Metrics...)
	}
	if !o.store(ctx, all) {
		return false
	}
	for _, id := range fresh {
		o.collected[id] = true
	}
	return true
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
