package supernode

import (
	"context"
	"errors"
	"sync/atomic"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"
)

// Recorder writes down what leaves this machine. Its methods are called by several goroutines.
type Recorder interface {
	// Leaving is called before any part of a reply is sent. After an error nothing of the reply is sent, and the message is answered with
	// an error reply that carries nothing of the app's. That one has Unrecorded set: it is sent whatever Leaving returns. The reason of
	// an [*AppError] is sent to the ServerApp; that of another error stays here.
	Leaving(o Outgoing) error
	// Sent is called when the work on a message is over, whether or not a reply was sent.
	Sent(s Sent)
}

// Outgoing is a reply, in full, before any of it is sent.
type Outgoing struct {
	RunID       uint64
	NodeID      uint64
	FABHash     string // empty where the app version is not known
	MessageID   string // of the message that it answers
	MessageType string
	Round       string // the message's group; often empty
	ReplyID     string // the reply's root object: its hash covers all the others
	Error       bool   // an error reply; it has no records
	ErrorCode   int
	Reason      string // of an error reply
	Unrecorded  bool   // see [Recorder]
	Records     []Record
	Objects     []Object // all of them, the root first
	Bytes       int64    // of all objects
}

// Record is one named part of a reply.
type Record struct {
	Name   string
	Kind   string // ArrayRecord, MetricRecord, ConfigRecord
	Object string
	Bytes  int64 // of its objects; one that several arrays share counts once
	Arrays []Array
}

// Array is one array of an ArrayRecord, as its object describes itself.
type Array struct {
	Name   string
	DType  string
	Shape  []int64
	Bytes  int64 // of its objects
	Object string
}

// Object is one object of a reply.
type Object struct {
	ID    string
	Kind  string // as the object's head says; "unknown" for one without
	Bytes int64
}

// Sent is what the work on a message sent to the SuperLink.
type Sent struct {
	RunID     uint64
	NodeID    uint64
	MessageID string
	ReplyID   string // of the reply that was sent whole; empty if there was none
	Bytes     int64  // of the bodies of all successful calls for this message, as the server counts them
}

// meterKey is the key of a context's byte counter.
type meterKey struct{}

// metered returns a context whose calls are counted for a message.
func metered(ctx context.Context, m *message) context.Context {
	return context.WithValue(ctx, meterKey{}, &m.bytes)
}

// count adds the bytes of a call that succeeded.
func count(ctx context.Context, n int64) {
	if c, ok := ctx.Value(meterKey{}).(*atomic.Int64); ok {
		c.Add(n)
	}
}

// unrecordedReason tells the ServerApp why the app's reply was not sent. It says nothing of this machine.
const unrecordedReason = "The participant's SuperNode could not record what would leave the machine, so it sent nothing."

// outgoing is a reply to a message, without what it consists of.
func (n *Node) outgoing(m *message, reply *flwrpb.Message, tree *flwrpb.ObjectTree) Outgoing {
	meta := m.proto.GetMetadata()
	o := Outgoing{RunID: m.run(), NodeID: n.id.Load(), FABHash: n.runs.hash(m.run()), MessageID: m.id(), MessageType: meta.GetMessageType(),
		Round: meta.GetGroupId(), ReplyID: tree.GetObjectId()}
	if e := reply.GetError(); e != nil {
		o.Error, o.ErrorCode, o.Reason = true, int(e.GetCode()), e.GetReason()
		o.Unrecorded = o.Reason == unrecordedReason
	}
	return o
}

// record has a reply recorded before it is sent. After an error nothing of it may be sent.
func (n *Node) record(ctx context.Context, m *message, reply *flwrpb.Message, tree *flwrpb.ObjectTree, from *spool) error {
	if n.o.Recorder == nil {
		return nil
	}
	o := n.outgoing(m, reply, tree)
	var err error
	if o.Records, o.Objects, o.Bytes, err = describe(ctx, tree, from); err == nil {
		err = n.o.Recorder.Leaving(o)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	if _, ok := errors.AsType[*AppError](err); ok {
		return err
	}
	n.o.Log("A reply cannot be recorded, so it is not sent: %s: %v", m.words(), err)
	return &AppError{Code: wire.ErrorUnknown, Reason: unrecordedReason}
}

// sent tells the recorder what the work on a message has sent.
func (n *Node) sent(m *message) {
	if n.o.Recorder == nil {
		return
	}
	reply, _ := m.reply.Load().(string)
	n.o.Recorder.Sent(Sent{RunID: m.run(), NodeID: n.id.Load(), MessageID: m.id(), ReplyID: reply, Bytes: m.bytes.Load()})
}
