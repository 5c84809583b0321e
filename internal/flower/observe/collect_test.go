package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire/flwrpb"
)

// keeper is a Sink; nothing can be stored while it is away.
type keeper struct {
	mu   sync.Mutex
	away bool
	all  []domain.Observation
}

func (k *keeper) Record(_ context.Context, o domain.Observation) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.away {
		return errors.New("the database is away")
	}
	k.all = append(k.all, o)
	return nil
}

// link is the SuperLink's side: replies, and the objects in them.
type link struct {
	now     time.Time
	objects map[string]Object
	reads   map[string]int
	read    func(id string) error // called before an object is given; may be nil
}

func (l *link) object(ctx context.Context, id string) (Object, error) {
	l.reads[id]++
	if l.read != nil {
		if err := l.read(id); err != nil {
			return Object{}, err
		}
	}
	return l.objects[id], ctx.Err()
}

// reply makes a reply of some records.
func (l *link) reply(n int, contents ...[]byte) Reply {
	tree := &flwrpb.ObjectTree{ObjectId: fmt.Sprint("root ", n)}
	for i, c := range contents {
		id := fmt.Sprint("record ", n, "/", i)
		l.objects[id], tree.Children = Object{Content: c}, append(tree.Children, &flwrpb.ObjectTree{ObjectId: id})
	}
	return Reply{Tree: tree, Message: &flwrpb.Message{Metadata: &flwrpb.Metadata{MessageId: tree.ObjectId, MessageType: "train",
		ReplyToMessageId: fmt.Sprint("message ", n), SrcNodeId: uint64(100 + n)}}}
}

func collecting(t *testing.T) (*Observer, *keeper, *link) {
	t.Helper()
	l, k := &link{now: time.Unix(1_800_000_000, 0), objects: map[string]Object{}, reads: map[string]int{}}, &keeper{}
	return New(Options{Sink: k, Clock: func() time.Time { return l.now }, Logger: slog.New(slog.DiscardHandler), StoreWait: 20 * time.Millisecond}),
		k, l
}

// Many replies, or many metrics, take more than one transaction.
func TestRepliesAreStoredInPortions(t *testing.T) {
	var lists []any
	for i := range 15 {
		lists = append(lists, fmt.Sprint("m", i), make([]float64, 100))
	}
	for name, c := range map[string]struct {
		replies int
		record  []byte
		want    int
	}{
		"many replies": {120, metricRecord(t, "loss", 0.5), 3},
		"many metrics": {30, metricRecord(t, lists...), 3},
	} {
		o, k, l := collecting(t)
		var all []Reply
		for n := range c.replies {
			all = append(all, l.reply(n, c.record))
		}
		for range 2 { // the second time all are known
			if n := o.Collect(t.Context(), all, l.object); n != c.replies {
				t.Fatalf("%s: %d of %d are stored", name, n, c.replies)
			}
		}
		got := 0
		for _, seen := range k.all {
			if got += len(seen.Exchanges); len(seen.Exchanges) > portionReplies || len(seen.Metrics) > portionSize+maxPerReply {
				t.Errorf("%s: a transaction of %d replies and %d metrics", name, len(seen.Exchanges), len(seen.Metrics))
			}
		}
		if got != c.replies || len(k.all) != c.want {
			t.Errorf("%s: %d replies in %d transactions", name, got, len(k.all))
		}
	}
}

// What takes long is done step by step, although the ServerApp gives up each time.
func TestSlowRepliesAreStoredStepByStep(t *testing.T) {
	o, k, l := collecting(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	var all []Reply
	for n := range 8 {
		all = append(all, l.reply(n, metricRecord(t, "loss", float64(n))))
	}
	l.read = func(id string) error {
		if id[:4] == "root" {
			l.now = l.now.Add(4 * time.Second)
		}
		return nil
	}
	for _, want := range []int{3, 6, 8} {
		if n := o.Collect(gone, all, l.object); n != want || len(k.all[len(k.all)-1].Exchanges) > 3 {
			t.Fatalf("%d replies are stored, want %d", n, want)
		}
	}
	for id, n := range l.reads {
		if n != 1 {
			t.Errorf("%s was read %d times", id, n)
		}
	}
}

// A reply that cannot be read now holds back those after it alone. One whose record is lost is stored without its metrics.
func TestRepliesBeforeAFaultAreStored(t *testing.T) {
	o, k, l := collecting(t)
	var all []Reply
	for n := range 5 {
		all = append(all, l.reply(n, metricRecord(t, "loss", float64(n))))
	}
	delete(l.objects, "record 1/0")
	l.read = func(id string) error {
		if id == "record 3/0" {
			return errors.New("the database is away")
		}
		return nil
	}
	if n := o.Collect(t.Context(), all, l.object); n != 3 || len(k.all) != 1 || len(k.all[0].Exchanges) != 3 || len(k.all[0].Metrics) != 2 {
		t.Fatalf("%d are stored: %+v", n, k.all)
	}
	l.read = nil
	if n := o.Collect(t.Context(), all, l.object); n != 5 || len(k.all) != 2 || len(k.all[1].Exchanges) != 2 {
		t.Fatalf("%d are stored: %+v", n, k.all)
	}
}

// However often a reply must be tried, its arrays count once.
func TestShapesCountAReplyOnce(t *testing.T) {
	array := []byte("Array  14\x00{\"shape\": [2]}")
	record := func(n int) []byte { return fmt.Appendf(nil, "ArrayRecord  0\x00{\"w\": \"record %d/1\"}", n) }
	o, k, l := collecting(t)
	all := []Reply{l.reply(0, record(0), array), l.reply(1, record(1), array)}
	k.away = true
	for range 2 {
		if n := o.Collect(t.Context(), all, l.object); n != 0 {
			t.Fatalf("%d replies are stored", n)
		}
	}
	k.away = false
	if n := o.Collect(t.Context(), all, l.object); n != 2 || o.shapes.told().Replies != 2 {
		t.Errorf("%d replies are stored, %+v", n, o.shapes.told())
	}

	o, k, l = collecting(t) // as a proxy sees them
	r := l.reply(0, record(0), array)
	o.Replies(t.Context(), &flwrpb.PullAppMessagesResponse{MessagesList: []*flwrpb.Message{r.Message},
		MessageObjectTrees: []*flwrpb.ObjectTree{r.Tree}})
	for id, object := range l.objects {
		o.Pulled(id, object.Content)
	}
	for _, k.away = range []bool{true, false} {
		if stored := o.Confirm(t.Context(), r.Tree.GetObjectId()); stored == k.away {
			t.Errorf("away %v: stored %v", k.away, stored)
		}
	}
	if told := o.shapes.told(); told.Replies != 1 {
		t.Errorf("%+v", told)
	}
}
