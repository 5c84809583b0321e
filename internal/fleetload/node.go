package fleetload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// The times of flwr 1.42's SuperNode.
const (
	pollPause        = 3 * time.Second // after an empty poll
	beatInterval     = 30              // seconds, as told to the server
	beatTimeout      = 5 * time.Second
	beatLow          = 17500 * time.Millisecond
	beatHigh         = 22500 * time.Millisecond
	deactivateWithin = 5 * time.Second
)

// node is one SuperNode.
type node struct {
	caller
	f    *Fleet
	key  *Key
	id   uint64
	runs map[uint64]bool // whose FAB it has
	end  context.CancelFunc

	mu      sync.Mutex
	active  bool
	left    error     // why it gave up
	heard   time.Time // the last answered heartbeat
	gap     time.Duration
	beating *time.Timer
	over    bool // no further heartbeat
}

// live is the SuperNode's life.
func (n *node) live(ctx context.Context, after time.Duration) {
	ctx, n.end = context.WithCancel(ctx)
	defer n.end()
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() { // calls under way end, as on a SIGINT
		defer close(closed)
		n.pool.close()
	})
	if !sleep(ctx, after) {
		return
	}
	var out flwrpb.ActivateNodeResponse
	err := n.persist(ctx, "activate-node", &flwrpb.ActivateNodeRequest{PublicKey: n.key.PublicPEM, HeartbeatInterval: beatInterval}, &out)
	if err != nil {
		n.leave(ctx, err)
		return
	}
	n.id = out.GetNodeId()
	n.mu.Lock()
	n.active, n.heard = true, time.Now()
	n.mu.Unlock()
	n.f.notify()
	n.schedule(ctx, 0, 0)
	for ctx.Err() == nil {
		worked, err := n.exchange(ctx)
		if err != nil {
			n.leave(ctx, err)
			break
		}
		if !worked && !sleep(ctx, pollPause) {
			break
		}
	}
	n.quiet()
	n.end()
	<-closed
	n.deactivate(ctx)
}

// leave notes that the node gave up, unless it was stopped.
func (n *node) leave(ctx context.Context, err error) {
	if ctx.Err() != nil && !errors.Is(err, errRevoked) {
		return
	}
	n.mu.Lock()
	if n.left == nil {
		n.left = err
	}
	n.mu.Unlock()
	n.f.notify()
}

// deactivate reports that the node stops, once, on a new connection.
func (n *node) deactivate(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deactivateWithin)
	defer cancel()
	n.pool.reopen()
	defer n.pool.close()
	body, _ := proto.Marshal(&flwrpb.DeactivateNodeRequest{NodeId: n.id})                        // numbers always encode
	_ = n.once(ctx, "deactivate-node", body, &flwrpb.DeactivateNodeResponse{}, deactivateWithin) // it is in the report
}

// schedule sends a heartbeat after a while. No goroutine waits for it.
func (n *node) schedule(ctx context.Context, after time.Duration, failures int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.over || ctx.Err() != nil {
		return
	}
	n.f.work.Add(1)
	n.beating = time.AfterFunc(after, func() {
		defer n.f.work.Done()
		n.beat(ctx, failures)
	})
}

// quiet ends the heartbeats.
func (n *node) quiet() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.over = true
	if n.beating != nil && n.beating.Stop() {
		n.f.work.Done()
	}
}

// beat sends one heartbeat and schedules the next. As in flwr, an answer that is neither 200 nor 502 to 504 ends the heartbeats for good,
// and 401 ends the node.
func (n *node) beat(ctx context.Context, failures int) {
	if ctx.Err() != nil {
		return
	}
	s := n.f.stats
	in := &flwrpb.SendNodeHeartbeatRequest{Node: &flwrpb.Node{NodeId: n.id}, HeartbeatInterval: beatInterval}
	body, _ := proto.Marshal(in) // numbers always encode
	var out flwrpb.SendNodeHeartbeatResponse
	s.beats.Add(1)
	began := time.Now()
	err := n.once(ctx, "send-node-heartbeat", body, &out, beatTimeout)
	var status *statusError
	switch {
	case ctx.Err() != nil:
	case err == nil && out.GetSuccess():
		s.beatsOK.Add(1)
		s.beatTimes.add(time.Since(began))
		n.mu.Lock()
		now := time.Now()
		n.gap, n.heard = max(n.gap, now.Sub(n.heard)), now
		n.mu.Unlock()
		n.schedule(ctx, n.between(beatLow, beatHigh), 0)
	case err != nil && (!errors.As(err, &status) || n.retryable(err)): // flwr repeats a heartbeat after TLS errors too
		most := min(time.Second<<min(failures, 5), maxRetryDelay)
		n.schedule(ctx, n.between(0, most), failures+1)
	case status != nil && status.status == http.StatusUnauthorized:
		n.leave(ctx, fmt.Errorf("send-node-heartbeat: %w", errRevoked))
		n.end()
	default:
		s.beatsStopped.Add(1)
	}
}

// exchange polls, and handles the message that came. An error means that the SuperNode exits.
func (n *node) exchange(ctx context.Context) (worked bool, err error) {
	s := n.f.stats
	var out flwrpb.PullMessagesResponse
	s.polls.Add(1)
	if err := n.persist(ctx, "pull-messages", &flwrpb.PullMessagesRequest{Node: n.node()}, &out); err != nil {
		return false, ignoreRunOver(err)
	}
	if len(out.GetMessagesList()) == 0 || len(out.GetMessageObjectTrees()) == 0 {
		s.empty.Add(1)
		return false, nil
	}
	s.pulledMessages.Add(1)
	m := out.GetMessagesList()[0].GetMetadata()
	s.inPhase(m, func(p *Phase) { p.Pulled++ })
	if err := n.learn(ctx, m.GetRunId()); err != nil {
		s.lost.Add(1)
		return false, ignoreRunOver(err)
	}
	if err := n.receive(ctx, m, out.GetMessageObjectTrees()[0]); err != nil {
		s.lost.Add(1)
		return false, onlyRevoked(err)
	}
	began := time.Now()
	if !sleep(ctx, n.between(n.f.o.Think/2, n.f.o.Think*3/2)) {
		return true, nil
	}
	if err := n.reply(ctx, m, time.Since(began)); err != nil {
		s.lost.Add(1)
		return true, onlyRevoked(err)
	}
	return true, nil
}

func (n *node) node() *flwrpb.Node { return &flwrpb.Node{NodeId: n.id} }

func ignoreRunOver(err error) error {
	if errors.Is(err, errRunOver) {
		return nil
	}
	return err
}

// onlyRevoked drops errors that flwr logs and forgets.
func onlyRevoked(err error) error {
	if errors.Is(err, errRevoked) {
		return err
	}
	return nil
}

// learn asks for a run and its FAB, once.
func (n *node) learn(ctx context.Context, run uint64) error {
	if n.runs[run] {
		return nil
	}
	var got flwrpb.GetRunResponse
	if err := n.persist(ctx, "get-run", &flwrpb.GetRunRequest{Node: n.node(), RunId: run}, &got); err != nil {
		return err
	}
	in := &flwrpb.GetFabRequest{Node: n.node(), HashStr: got.GetRun().GetFabHash(), RunId: run}
	if err := n.persist(ctx, "get-fab", in, &flwrpb.GetFabResponse{}); err != nil {
		return err
	}
	n.runs[run] = true
	return nil
}

// receive pulls a message's objects and confirms it.
func (n *node) receive(ctx context.Context, m *flwrpb.Metadata, tree *flwrpb.ObjectTree) error {
	got, err := n.pullAll(ctx, n.id, m.GetRunId(), tree)
	if err != nil {
		return err
	}
	s := n.f.stats
	s.objectsIn.Add(got.objects.Load())
	s.bytesIn.Add(got.bytes.Load())
	s.wrong.Add(got.wrong.Load())
	in := &flwrpb.ConfirmMessageReceivedRequest{Node: n.node(), RunId: m.GetRunId(), MessageObjectId: m.GetMessageId()}
	return n.persist(ctx, "confirm-message-received", in, &flwrpb.ConfirmMessageReceivedResponse{})
}

// reply pushes a reply and its objects.
func (n *node) reply(ctx context.Context, to *flwrpb.Metadata, took time.Duration) error {
	c := n.f.model.make(random64(to.GetMessageId()))
	now := unixTime(time.Now())
	m, tree, root, err := seal(&flwrpb.Metadata{RunId: to.GetRunId(), SrcNodeId: n.id, DstNodeId: to.GetSrcNodeId(),
		ReplyToMessageId: to.GetMessageId(),
		GroupId:          to.GetGroupId(), Ttl: to.GetCreatedAt() + to.GetTtl() - now, MessageType: to.GetMessageType(), CreatedAt: now,
		SrcTaskId: to.DstTaskId, DstTaskId: to.SrcTaskId}, c)
	if err != nil {
		return err
	}
	c.parts[tree.GetObjectId()] = root
	in := &flwrpb.PushMessagesRequest{Node: n.node(), MessagesList: []*flwrpb.Message{m}, MessageObjectTrees: []*flwrpb.ObjectTree{tree},
		ClientappRuntimeList: []float64{took.Seconds()}}
	var out flwrpb.PushMessagesResponse
	if err := n.persist(ctx, "push-messages", in, &out); err != nil {
		return err
	}
	size, err := n.pushAll(ctx, n.id, to.GetRunId(), out.GetSessionId(), tree, out.GetObjectsToPush(), c.parts)
	if err != nil {
		return err
	}
	if len(out.GetObjectsToPush()) == 0 {
		return errors.New("the reply was not accepted")
	}
	s := n.f.stats
	s.replies.Add(1)
	s.objectsOut.Add(int64(len(out.GetObjectsToPush())))
	s.bytesOut.Add(size)
	s.inPhase(to, func(p *Phase) { p.Replied, p.last = p.Replied+1, time.Now() })
	return nil
}
