package supernode

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"golang.org/x/sync/errgroup"
)

// message is one that the node has taken.
type message struct {
	proto *flwrpb.Message
	tree  *flwrpb.ObjectTree
	bytes atomic.Int64 // sent for it, in calls that succeeded
	reply atomic.Value // the id of the reply that was sent whole
}

func (m *message) id() string  { return m.proto.GetMetadata().GetMessageId() }
func (m *message) run() uint64 { return m.proto.GetMetadata().GetRunId() }

// words names a message in a log.
func (m *message) words() string {
	meta := m.proto.GetMetadata()
	if g := meta.GetGroupId(); g != "" {
		return fmt.Sprintf("run %d, round %s: %s message", meta.GetRunId(), g, meta.GetMessageType())
	}
	return fmt.Sprintf("run %d: %s message", meta.GetRunId(), meta.GetMessageType())
}

const (
	maxTree       = 1 << 20       // objects of a message
	maxObject     = 1<<30 - 1<<20 // bytes of an object, as the gateway takes them
	transfers     = 6             // objects at the same time
	runLook       = 4 * time.Second
	lastQuestion  = 5 * time.Second       // for an answer that is still to come when the work has ended
	firstLook     = 50 * time.Millisecond // for an object that the ServerApp has not sent yet
	longestLook   = 2 * time.Second
	pushTries     = 3
	endLimit      = time.Minute // for a ClientApp that has replied
	agentAppTask  = "flwr-agentapp"
	noReplyReason = "The ClientApp ended without a reply."
	stoppedReason = "The participant stopped the SuperNode while it worked on this message."
)

// errLingers is why a ClientApp that does not end after its reply is ended.
var errLingers = errors.New("the ClientApp did not end after its reply")

// handle sees to it that a message is answered exactly once, unless its run has ended. release frees the slot early, once the reply
// is sent, while the ClientApp may still be ending.
func (n *Node) handle(ctx context.Context, m *message, release func()) {
	n.o.Log("Received: %s.", m.words())
	ctx = metered(ctx, m)
	defer n.sent(m)
	if err := n.taken.note(m.proto); err != nil {
		n.o.Log("The message cannot be noted on disk: %v", err)
	}
	limited := ctx
	if left := n.expires(m.proto.GetMetadata()).Sub(n.o.Clock()); left > 0 { // after that nobody takes a reply
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeoutCause(ctx, left, errRunOver)
		defer cancel()
	}
	working, stop := context.WithCancelCause(limited)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		n.watchRun(working, m.run(), stop)
	}()
	defer func() { // before sent: a question that is under way counts for the message, here and at the server
		stop(nil)
		<-watched
	}()

	err := n.work(working, m, release)
	if errors.Is(err, errRefused) {
		n.end()
		return // nobody takes an answer any more
	}
	if err != nil && !errors.Is(err, errRunOver) && !errors.Is(err, errUnsent) && !errors.Is(context.Cause(working), errRunOver) {
		code, reason := errorOf(err)
		if ctx.Err() != nil {
			code, reason = wire.ErrorCrashed, stoppedReason
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastReplies)
			defer cancel()
			ctx = late
		}
		n.o.Log("Answering with an error: %s: %s", m.words(), reason)
		err = n.replyError(ctx, m, code, reason)
	}
	switch {
	case err == nil:
	case errors.Is(err, errRunOver), errors.Is(context.Cause(working), errRunOver):
		n.o.Log("No reply is needed any more, the run has ended: %s.", m.words())
	default:
		n.o.Log("The reply could not be sent: %s: %v", m.words(), err)
		if ctx.Err() != nil {
			return // noted still: the next start answers it
		}
	}
	n.taken.done(m.id())
}

// errorOf puts the end of a message without a reply of the app into words.
func errorOf(err error) (code int, reason string) {
	if app, ok := errors.AsType[*AppError](err); ok {
		return app.Code, app.Reason
	}
	return wire.ErrorUnknown, "The participant's SuperNode could not handle the message: " + err.Error() + "."
}

// watchRun ends the work on a message when its run has ended. A question that it has begun it asks to its end.
func (n *Node) watchRun(ctx context.Context, run uint64, stop context.CancelCauseFunc) {
	asking, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastQuestion, cancel) })()
	for sleep(ctx, runLook) {
		if n.over(asking, run) {
			stop(errRunOver)
			return
		}
	}
}

// work has a message handled by a ClientApp and sends its reply. The app starts while the message's objects still arrive.
func (n *Node) work(ctx context.Context, m *message, release func()) error {
	r, err := n.runs.get(ctx, m.run())
	if err != nil {
		return err
	}
	if r.proto.GetPrimaryTaskType() == agentAppTask {
		return &AppError{Code: wire.ErrorLoadClientApp, Reason: "This SuperNode runs ClientApps only, and the run is an AgentApp's."}
	}
	ids, err := wire.TreeIDs(m.tree, maxTree)
	if err != nil {
		return err
	}
	t := n.api.task(n, m, r, ids)
	defer n.api.remove(t)
	n.lingers.hurry()
	pulling, stopPull := context.WithCancel(ctx)
	defer stopPull()
	arrived := make(chan error, 1)
	go func() { arrived <- n.receive(pulling, m, t.in, ids) }()
	running, stopApp := context.WithCancelCause(ctx)
	defer stopApp(nil)
	exited := make(chan error, 1)
	go func() {
		for _, before := range t.before { // an app finds the Context that the one before it has left
			select {
			case <-before.settled:
			case <-running.Done():
				exited <- context.Cause(running)
				return
			}
		}
		exited <- n.o.Apps.Run(running, t)
	}()
	return n.see(ctx, t, arrived, exited, stopApp, release)
}

// see follows a task to its reply, and then to the end of its process.
func (n *Node) see(ctx context.Context, t *Task, arrived, exited <-chan error, stopApp context.CancelCauseFunc, release func()) error {
	var appEnd error
	ended := false
	exit := func() { // waits for what is left of the app
		if !ended {
			late := time.AfterFunc(endLimit, func() { stopApp(errLingers) })
			appEnd, ended = <-exited, true
			late.Stop()
		}
		t.end()
	}
	for {
		select {
		case err := <-arrived:
			if err != nil {
				stopApp(err)
				exit()
				return fmt.Errorf("receiving the message: %w", err)
			}
			arrived = nil
			continue
		case appEnd = <-exited:
			ended = true
		case <-t.replied():
		}
		break
	}
	if ended && !isClosed(t.replied()) {
		exit()
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if appEnd == nil {
			appEnd = &AppError{Code: wire.ErrorCrashed, Reason: noReplyReason}
		}
		return appEnd
	}
	if arrived != nil { // the SuperLink hears that the message is here before it hears of the reply
		if err := <-arrived; err != nil {
			stopApp(err)
			exit()
			return fmt.Errorf("receiving the message: %w", err)
		}
	}
	err := n.finish(ctx, t)
	if err == nil {
		n.o.Log("Sent the reply: %s.", t.m.words())
		n.taken.done(t.m.id())
		defer n.lingers.add(stopApp)()
		release()
	}
	exit()
	return err
}

// errUnsent is why a reply of the app's own was not sent whole. No other reply is sent in its place.
var errUnsent = errors.New("the SuperNode was stopped before it had sent the reply")

// finish sends the app's reply. A node that is stopped meanwhile takes a moment longer for it.
func (n *Node) finish(ctx context.Context, t *Task) error {
	sending, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), errRunOver) || !sleep(sending, lastReplies) {
			cancel(context.Cause(ctx))
			return
		}
		cancel(errUnsent)
	})()
	if most := t.out.largest(); most > maxObject {
		return &AppError{Code: wire.ErrorUnknown, Reason: fmt.Sprintf("An object of the reply has %d bytes; %d are allowed.", most, maxObject)}
	}
	return n.send(sending, t)
}

// receive pulls the objects of a message and confirms it.
func (n *Node) receive(ctx context.Context, m *message, to *spool, ids []string) error {
	g, pulling := errgroup.WithContext(ctx)
	g.SetLimit(transfers)
	for _, id := range ids {
		in := &flwrpb.PullObjectRequest{Node: n.node(), RunId: m.run(), ObjectId: id}
		g.Go(func() error { return n.pullOne(pulling, in, id, to) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	in := &flwrpb.ConfirmMessageReceivedRequest{Node: n.node(), RunId: m.run(), MessageObjectId: m.id()}
	return n.link.call(ctx, "/v1/fleet/confirm-message-received", in, &flwrpb.ConfirmMessageReceivedResponse{})
}

func (n *Node) pullOne(ctx context.Context, in *flwrpb.PullObjectRequest, id string, to *spool) error {
	for pause := firstLook; ; pause = min(2*pause, longestLook) {
		err := persist(ctx, func() error {
			err := n.link.pullObject(ctx, in, id, to)
			if errors.Is(err, errNotYet) {
				return nil
			}
			return err
		})
		if err != nil || isClosed(to.objects[id].ready) {
			return err
		}
		if !sleep(ctx, pause) {
			return context.Cause(ctx)
		}
	}
}

// errNotTaken: the SuperLink wants none of a new reply's objects, which is how it says that it does not accept the reply.
var errNotTaken = &AppError{Code: wire.ErrorUnknown, Reason: "The SuperLink did not accept the ClientApp's reply."}

// send pushes a reply and its objects. A SuperLink that did not keep an object, because its push session ran out, gets all again.
func (n *Node) send(ctx context.Context, t *Task) error {
	if err := n.record(ctx, t.m, t.reply, t.replyTree, t.out); err != nil {
		return err
	}
	for try := 1; ; try++ {
		wanted, lost, err := n.sendOnce(ctx, t.reply, t.replyTree, t.out, t.runtime())
		if err != nil {
			return err
		}
		if try == 1 && wanted == 0 {
			return errNotTaken
		}
		if !lost {
			t.m.reply.Store(t.replyTree.GetObjectId())
			return nil
		}
		if try == pushTries {
			return errors.New("the SuperLink did not keep the reply's objects")
		}
	}
}

func (n *Node) sendOnce(ctx context.Context, reply *flwrpb.Message, tree *flwrpb.ObjectTree, from *spool,
	seconds float64) (wanted int, lost bool, err error) {
	in := &flwrpb.PushMessagesRequest{Node: n.node(), MessagesList: []*flwrpb.Message{reply}, MessageObjectTrees: []*flwrpb.ObjectTree{tree},
		ClientappRuntimeList: []float64{seconds}}
	var out flwrpb.PushMessagesResponse
	if err := n.link.call(ctx, "/v1/fleet/push-messages", in, &out); err != nil {
		return 0, false, fmt.Errorf("announcing the reply: %w", err)
	}
	g, pushing := errgroup.WithContext(ctx)
	g.SetLimit(transfers)
	kept := make([]bool, len(out.GetObjectsToPush()))
	for i, id := range out.GetObjectsToPush() {
		g.Go(func() error {
			return persist(pushing, func() (err error) {
				kept[i], err = n.link.pushObject(pushing, n.id.Load(), reply.GetMetadata().GetRunId(), id, out.GetSessionId(), from)
				return err
			})
		})
	}
	if err := g.Wait(); err != nil {
		return 0, false, fmt.Errorf("sending the reply: %w", err)
	}
	for _, k := range kept {
		lost = lost || !k
	}
	return len(kept), lost, nil
}

// replyError answers a message with an error. One that cannot be recorded is replaced by one that says so, and nothing else.
func (n *Node) replyError(ctx context.Context, m *message, code int, reason string) error {
	err := n.sendError(ctx, m, code, reason)
	if _, ok := errors.AsType[*AppError](err); ok {
		err = n.sendError(ctx, m, wire.ErrorUnknown, unrecordedReason)
	}
	return err
}

func (n *Node) sendError(ctx context.Context, m *message, code int, reason string) error {
	reply, tree, content, err := wire.ErrorReply(m.proto, code, reason, n.o.Clock())
	if err != nil {
		return err
	}
	id := tree.GetObjectId()
	out := newSpool(n.parts("error-"+id), []string{id}, int64(len(content)))
	defer out.drop()
	if err := out.put(id, int64(len(content)), newReader(content)); err != nil {
		return err
	}
	if err := n.record(ctx, m, reply, tree, out); err != nil && reason != unrecordedReason {
		return err
	}
	for range pushTries {
		_, lost, err := n.sendOnce(ctx, reply, tree, out, 0)
		if err != nil {
			return err
		}
		if !lost {
			m.reply.Store(id)
			return nil
		}
	}
	return errors.New("the SuperLink did not keep the error reply")
}
