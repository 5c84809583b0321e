package fleetload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// superLinkID is the node id of a ServerApp.
const superLinkID = 1

// Grid makes the Runtime API's calls of one ServerApp, as flwr 1.42's HttpGrid does. Its methods are not for concurrent use.
type Grid struct {
	caller
	run   uint64
	count traffic
	end   context.CancelFunc
}

// NewGrid returns a grid for a run at a Runtime API; the token is the ServerApp's task's.
func NewGrid(ctx context.Context, t Target, run uint64, token string) (*Grid, error) {
	dial, err := newDialer(ctx, t)
	if err != nil {
		return nil, err
	}
	g := &Grid{run: run, end: func() {}}
	g.caller = caller{pool: &pool{dial: dial, count: &g.count}, prefix: "/v1/runtime/", host: dial.host, part: "flwr-serverapp",
		stats:  newStats(),
		random: rand.New(rand.NewPCG(run, 0)), sign: func(b []byte) ([]byte, error) { return appendHeader(b, wire.HeaderTaskToken, token), nil }}
	return g, nil
}

// none is an empty message, as several requests and answers are.
func none() proto.Message { return &flwrpb.UnregisterNodeResponse{} }

// Begin starts the run and sends its heartbeats until [Grid.End] is called or ctx ends.
func (g *Grid) Begin(ctx context.Context) error {
	if err := g.persist(ctx, "pull-task-input", none(), &flwrpb.PullTaskInputResponse{}); err != nil {
		return err
	}
	ctx, g.end = context.WithCancel(ctx)
	go func() {
		for ctx.Err() == nil {
			var out flwrpb.SendTaskHeartbeatResponse
			_ = g.once(ctx, "send-task-heartbeat", nil, &out, beatTimeout) // flwr repeats it too
			sleep(ctx, g.between(beatLow, beatHigh))
		}
	}()
	return nil
}

// End ends the run as completed.
func (g *Grid) End(ctx context.Context) error {
	g.end()
	defer g.pool.close()
	return g.persist(ctx, "push-task-output", &flwrpb.PushTaskOutputRequest{SubStatus: "completed"}, none())
}

// Nodes returns the ids of the nodes that are online.
func (g *Grid) Nodes(ctx context.Context) ([]uint64, error) {
	var out flwrpb.GetNodesResponse
	if err := g.persist(ctx, "get-nodes", none(), &out); err != nil {
		return nil, err
	}
	ids := make([]uint64, len(out.GetNodes()))
	for i, n := range out.GetNodes() {
		ids[i] = n.GetNodeId()
	}
	return ids, nil
}

// AwaitNodes asks until n nodes are online.
func (g *Grid) AwaitNodes(ctx context.Context, n int) ([]uint64, error) {
	for {
		ids, err := g.Nodes(ctx)
		if err != nil || len(ids) >= n {
			return ids, err
		}
		if !sleep(ctx, time.Second) {
			return ids, fmt.Errorf("%d of %d nodes are online: %w", len(ids), n, context.Cause(ctx))
		}
	}
}

// Ask is what a phase asks of the nodes.
type Ask struct {
	Nodes       []uint64
	Type        string        // train by default
	Group       string        // the round
	Objects     int           // of each message, its Message included; the others are the same for all nodes; 12 by default
	ObjectBytes int           // of each array; 1024 by default
	TTL         time.Duration // of the messages; an hour by default
	Pause       time.Duration // after a poll that did not bring all replies; 3 s by default, as flwr's
}

// Result is what a phase brought.
type Result struct {
	Asked   int     `json:"asked"`
	Replies int     `json:"replies"`         // without errors
	Errors  int     `json:"errors"`          // error replies
	Objects int64   `json:"objects"`         // of replies
	Bytes   int64   `json:"bytes"`           // of those
	Wrong   int64   `json:"wrong"`           // objects whose content has another hash
	Pushed  float64 `json:"pushed_seconds"`  // until all messages and their objects were pushed
	Seconds float64 `json:"seconds"`         // from the first push to the last confirmed reply
	Error   string  `json:"error,omitempty"` // of one error reply
}

// Phase sends a message to each node and takes in their replies. Where ctx ends first, the result is of the part that was done.
func (g *Grid) Phase(ctx context.Context, a Ask) (Result, error) {
	if a.Objects == 0 {
		a.Objects = 12
	}
	if a.ObjectBytes == 0 {
		a.ObjectBytes = 1024
	}
	if err := checkModel(a.Objects, a.ObjectBytes); err != nil {
		return Result{}, err
	}
	r, began := Result{Asked: len(a.Nodes)}, time.Now()
	waiting, err := g.ask(ctx, a)
	r.Pushed = time.Since(began).Seconds()
	for err == nil && len(waiting) > 0 {
		if err = g.take(ctx, waiting, &r); err != nil || len(waiting) == 0 {
			break
		}
		if !sleep(ctx, orElse(a.Pause, pollPause)) {
			err = context.Cause(ctx)
		}
	}
	r.Seconds = time.Since(began).Seconds()
	return r, err
}

func orElse(d, other time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return other
}

// ask pushes a message to each node and returns their ids.
func (g *Grid) ask(ctx context.Context, a Ask) (map[string]bool, error) {
	c := newModel(a.Objects, a.ObjectBytes).make(random64(a.Group, a.Type, fmt.Sprint(g.run)))
	kind, ttl := a.Type, orElse(a.TTL, time.Hour)
	if kind == "" {
		kind = "train"
	}
	in, all := &flwrpb.PushAppMessagesRequest{}, &flwrpb.ObjectTree{}
	for _, n := range a.Nodes {
		m, tree, root, err := seal(&flwrpb.Metadata{RunId: g.run, SrcNodeId: superLinkID, DstNodeId: n, GroupId: a.Group, Ttl: ttl.Seconds(),
			MessageType: kind, CreatedAt: unixTime(time.Now())}, c)
		if err != nil {
			return nil, err
		}
		c.parts[tree.GetObjectId()] = root
		in.MessagesList, in.MessageObjectTrees = append(in.MessagesList, m), append(in.MessageObjectTrees, tree)
		all.Children = append(all.Children, &flwrpb.ObjectTree{ObjectId: tree.GetObjectId()})
	}
	all.Children = append(all.Children, c.tree)
	var out flwrpb.PushAppMessagesResponse
	if err := g.persist(ctx, "push-messages", in, &out); err != nil {
		return nil, err
	}
	waiting := make(map[string]bool, len(a.Nodes))
	for _, id := range out.GetMessageIds() {
		if id == "" {
			return nil, errors.New("push-messages: a message was not accepted")
		}
		waiting[id] = true
	}
	_, err := g.pushAll(ctx, superLinkID, g.run, out.GetSessionId(), all, out.GetObjectsToPush(), c.parts)
	return waiting, err
}

// take polls once and takes in the replies that came.
func (g *Grid) take(ctx context.Context, waiting map[string]bool, r *Result) error {
	in := &flwrpb.PullAppMessagesRequest{}
	for id := range waiting {
		in.MessageIds = append(in.MessageIds, id)
	}
	var out flwrpb.PullAppMessagesResponse
	if err := g.persist(ctx, "pull-messages", in, &out); err != nil {
		return err
	}
	if len(out.GetMessagesList()) != len(out.GetMessageObjectTrees()) {
		return &statusError{status: http.StatusOK, text: "pull-messages: as many object trees as messages are needed"}
	}
	for i, m := range out.GetMessagesList() {
		got, err := g.pullAll(ctx, superLinkID, g.run, out.GetMessageObjectTrees()[i])
		if err != nil {
			return err
		}
		r.Objects, r.Bytes, r.Wrong = r.Objects+got.objects.Load(), r.Bytes+got.bytes.Load(), r.Wrong+got.wrong.Load()
		confirm := &flwrpb.ConfirmMessageReceivedRequest{Node: &flwrpb.Node{NodeId: superLinkID}, RunId: g.run,
			MessageObjectId: m.GetMetadata().GetMessageId()}
		if err := g.persist(ctx, "confirm-message-received", confirm, none()); err != nil {
			return err
		}
		delete(waiting, m.GetMetadata().GetReplyToMessageId())
		if m.GetError() != nil {
			r.Errors, r.Error = r.Errors+1, m.GetError().GetReason()
		} else {
			r.Replies++
		}
	}
	return nil
}
