package supernode_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"blossomtune/internal/flower/supernode"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"
)

// book is a recorder of a test.
type book struct {
	l *superLink

	mu       sync.Mutex
	full     error // what Leaving answers
	outgoing []supernode.Outgoing
	sent     []supernode.Sent
	late     []string // replies that the SuperLink knew of before they were recorded
}

// Leaving implements [supernode.Recorder].
func (b *book) Leaving(o supernode.Outgoing) error {
	b.l.mu.Lock()
	known := slices.ContainsFunc(b.l.replies, func(r *flwrpb.Message) bool { return r.GetMetadata().GetMessageId() == o.ReplyID })
	b.l.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if known {
		b.late = append(b.late, o.ReplyID)
	}
	b.outgoing = append(b.outgoing, o)
	return b.full
}

// Sent implements [supernode.Recorder].
func (b *book) Sent(s supernode.Sent) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, s)
}

// A reply of an unmodified ClientApp is described whole before any of it is sent.
func TestARepliesPartsAreRecordedFirst(t *testing.T) {
	l := newSuperLink(t, fab(t))
	b := &book{l: l}
	stop := start(t, l, t.TempDir(), program(t), func(o *supernode.Options) { o.Recorder = b })
	asked := l.real()
	reply := l.reply(1)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if len(b.outgoing) != 1 || len(b.late) > 0 || len(b.sent) != 1 {
		t.Fatalf("%d replies recorded, %v late, %d sent", len(b.outgoing), b.late, len(b.sent))
	}
	o := b.outgoing[0]
	var total int64
	for _, obj := range o.Objects {
		if content, ok := l.received[obj.ID]; !ok || int64(len(content)) != obj.Bytes || obj.Kind == "unknown" {
			t.Errorf("object %+v: received %v with %d bytes", obj, ok, len(content))
		}
		total += obj.Bytes
	}
	if len(o.Objects) != len(l.received) || o.Bytes != total || o.ReplyID != reply.GetMetadata().GetMessageId() || o.MessageID != asked.GetMetadata().GetMessageId() || o.FABHash != l.run.GetFabHash() {
		t.Errorf("%d objects of %d, %d bytes of %d, %+v", len(o.Objects), len(l.received), o.Bytes, total, o)
	}
	var records []string
	for _, r := range o.Records {
		records = append(records, r.Name+" "+r.Kind)
		for _, a := range r.Arrays {
			records = append(records, fmt.Sprint(a.Name, " ", a.DType, a.Shape, a.Bytes > 160_000))
		}
	}
	if want := []string{"arrays ArrayRecord", "0 float64[20000] true", "config ConfigRecord", "metrics MetricRecord"}; !slices.Equal(records, want) {
		t.Errorf("the records are %q, want %q", records, want)
	}
	if s := b.sent[0]; s.ReplyID != o.ReplyID || s.Bytes <= total {
		t.Errorf("sent: %+v; the objects have %d bytes", s, total)
	}
}

// What cannot be recorded does not leave: the message is answered with an error that carries nothing of the app's.
func TestWhatCannotBeRecordedStays(t *testing.T) {
	l := newSuperLink(t, fab(t))
	b := &book{l: l, full: errors.New("no space at /home/anna")}
	content := bytes.Repeat([]byte("secret"), 100)
	start(t, l, t.TempDir(), echo(content), func(o *supernode.Options) { o.Recorder = b })
	l.give("one")
	if got := l.reply(1).GetError().GetReason(); got != "The participant's SuperNode could not record what would leave the machine, so it sent nothing." {
		t.Errorf("the reply says %q", got)
	}
	if l.received[wire.ObjectID(content)] != nil || len(l.received) != 1 {
		t.Errorf("%d objects left", len(l.received))
	}
	l.mu.Lock()
	calls := len(l.replies)
	l.mu.Unlock()
	if calls != 1 {
		t.Errorf("%d replies were announced", calls)
	}
}

// Objects that do not describe themselves as Flower's do are listed all the same.
func TestOddObjectsAreListed(t *testing.T) {
	l := newSuperLink(t, fab(t))
	b := &book{l: l}
	content := append([]byte("RecordDict  30\x00{\"a\": 1, \"b\": [\"c\"]} \xff\x00"), bytes.Repeat([]byte("x"), 1<<20)...)
	stop := start(t, l, t.TempDir(), echo(content), func(o *supernode.Options) { o.Recorder = b })
	l.give("one")
	l.reply(1)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if o := b.outgoing[0]; len(o.Objects) != 2 || o.Objects[1].Bytes != int64(len(content)) || len(o.Records) != 0 {
		t.Errorf("%+v", o)
	}
}

// A question whether the run is still on, which is under way when the work on a message ends, counts for the message: the server has
// counted it.
func TestAQuestionUnderWayIsCounted(t *testing.T) {
	l := newSuperLink(t, fab(t))
	b := &book{l: l}
	asked, once := make(chan struct{}), sync.Once{}
	runs := 0
	l.hold = func(name string) {
		if name != "get-run" {
			return
		}
		l.mu.Lock()
		runs++
		second := runs == 2
		l.mu.Unlock()
		if second {
			once.Do(func() { close(asked) })
			l.until("the reply, while a question is open", func() bool { return len(l.replies) == 1 && len(l.wanted) == 0 })
		}
	}
	stop := start(t, l, t.TempDir(), apps(func(_ context.Context, task *supernode.Task) error {
		_, m, err := take(task)
		if err != nil {
			return err
		}
		<-asked
		return give(task, m, []byte("content"), nil)
	}), func(o *supernode.Options) { o.Recorder = b })
	l.give("one")
	l.reply(1)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if runs < 2 || len(b.sent) != 1 || b.sent[0].Bytes != l.up {
		t.Errorf("%d questions; the server counted %d bytes, the recorder %+v", runs, l.up, b.sent)
	}
}
