package supernode

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"
)

// Task is the work on one message, as a ClientApp's process has to be started for it. The fields do not change.
type Task struct {
	RunID       uint64
	MessageID   string
	MessageType string
	Round       string // the message's group; often empty
	FABHash     string // hexadecimal SHA-256 of FAB
	FAB         []byte
	Address     string // host:port of the Runtime API on this machine
	Token       string // of this task alone

	node uint64
	id   uint64
	m    *message
	r    *run
	in   *spool // of the message's objects

	contexts *contexts
	before   []*Task       // of the series, whose Contexts come first
	settled  chan struct{} // closed when the Context is handed over, or never will be
	settle   sync.Once
	answered chan struct{} // closed when the reply is whole
	ended    atomic.Bool   // the app has reported its end

	mu        sync.Mutex
	began     time.Time // the app took the message
	finished  time.Time // it announced its reply
	reply     *flwrpb.Message
	replyTree *flwrpb.ObjectTree
	out       *spool // of the reply's objects
	output    string // the sub-status that the app reported at its end; empty before
}

// newReader is bytes.NewReader, for callers that shadow the package.
func newReader(b []byte) io.Reader { return bytes.NewReader(b) }

func newToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// Replied reports whether the app has handed over a whole reply; one that says that the app raised an exception is a reply too.
func (t *Task) Replied() bool { return isClosed(t.answered) }

// Raised returns what the app's own reply says of an exception; empty where there is no reply or none that says so.
func (t *Task) Raised() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reply.GetError().GetReason()
}

// Completed reports whether the app has said that it completed. Without a reply, it returned none.
func (t *Task) Completed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.output == "completed"
}

func (t *Task) replied() <-chan struct{} { return t.answered }

// runtime is how long the app had the message, in seconds.
func (t *Task) runtime() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.began.IsZero() || t.finished.IsZero() {
		return 0
	}
	return t.finished.Sub(t.began).Seconds()
}

// end frees what the task held. Its process has ended.
func (t *Task) end() {
	t.settle.Do(func() { close(t.settled) })
	t.in.drop()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.out != nil {
		t.out.drop()
	}
}

var (
	errSecondReply  = errors.New("the ClientApp has replied already")
	errForeignReply = errors.New("the reply is not one to this task's message")
)

// announce takes the reply that the app is going to send, and returns which objects are missing.
func (t *Task) announce(reply *flwrpb.Message, tree *flwrpb.ObjectTree, dir string, most int64) ([]string, error) {
	meta, asked := reply.GetMetadata(), t.m.proto.GetMetadata()
	if meta.GetRunId() != t.RunID || meta.GetReplyToMessageId() != t.MessageID || meta.GetSrcNodeId() != t.node ||
		meta.GetDstNodeId() != asked.GetSrcNodeId() || meta.GetMessageId() != tree.GetObjectId() ||
		meta.GetMessageType() != asked.GetMessageType() || (reply.GetContent() == nil) == (reply.GetError() == nil) {
		return nil, errForeignReply
	}
	if reply.GetContent() != nil {
		reply.Content = &flwrpb.RecordDict{} // the content travels as objects
	}
	ids, err := wire.TreeIDs(tree, maxTree)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reply != nil {
		if t.reply.GetMetadata().GetMessageId() != meta.GetMessageId() {
			return nil, errSecondReply
		}
		return ids, nil // the call is repeated
	}
	t.reply, t.replyTree, t.finished = reply, tree, time.Now()
	t.out = newSpool(dir, ids, most)
	t.out.whole = t.answered
	return ids, nil
}

func (t *Task) outgoing() *spool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out
}
