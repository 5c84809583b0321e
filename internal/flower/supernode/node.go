package supernode

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// Options are what a [Node] works with.
type Options struct {
	SuperLink   string            // host:port
	Transport   http.RoundTripper // signs each request; an answer with status 401 through it is final
	PublicPEM   []byte            // of the key that Transport signs with
	FlwrVersion string            // told to the SuperLink
	NodeID      uint64            // that the SuperLink gave before; 0 if it is not known
	Dir         string            // of spooled objects, FABs and contexts; the node owns it
	Port        int               // of the Runtime API on 127.0.0.1; 0: a free one
	Parallel    int               // messages handled at the same time; at least 1
	MaxReply    int64             // bytes of a message or a reply; 0: 16 GiB
	Apps        Apps
	Log         func(format string, args ...any) // one line each
	Online      func(nodeID uint64)              // called after each activation
	Refresh     func(ctx context.Context)        // called before a run begins here, to bring the node config up to date; may be nil
	Recorder    Recorder                         // of what leaves this machine; may be nil
	Clock       domain.Clock                     // in the SuperLink's time
}

// Apps runs ClientApps.
type Apps interface {
	// Run runs one ClientApp for the task and returns when its process and all that it started have ended. When ctx ends, it ends
	// them. The error says why no reply could be made; it is ignored when the app has replied. An [*AppError] sets the code.
	Run(ctx context.Context, t *Task) error
}

// AppError is why a ClientApp did not reply, in words for the federation's managers.
type AppError struct {
	Code   int // one of wire's error codes
	Reason string
}

// Error returns the reason.
func (e *AppError) Error() string { return e.Reason }

// Timing of a node's life (flwr 1.42: an interval of 30 s is announced, and two may be missed).
const (
	heartbeatInterval = 30.0 // seconds, as announced
	heartbeatEvery    = 20 * time.Second
	heartbeatLimit    = 5 * time.Second
	pollLimit         = 3 * time.Minute // the gateway holds an empty poll open for less than half a minute
	shortPoll         = time.Second     // a poll that was answered faster was not held open
	emptyPause        = 3 * time.Second // then, as Flower does
	goodbyeLimit      = 5 * time.Second
	lastReplies       = 8 * time.Second // for what is still to be answered when the node is stopped
)

// Node is a SuperNode. It is used once.
type Node struct {
	o    Options
	link *link
	api  *runtimeAPI

	configMu sync.Mutex
	config   map[string]*flwrpb.Scalar

	id       atomic.Uint64
	slots    chan struct{}
	tasks    sync.WaitGroup
	runs     *runs
	contexts *contexts
	lingers  lingers
	taken    taken
	handling sync.Map      // message IDs that are being handled
	refused  chan struct{} // closed when the SuperLink does not accept the node any more
	refuse   sync.Once
}

// ErrRefused is the error of [Node.Run] when the SuperLink does not accept the node's key.
var ErrRefused = errRefused

// New returns a node that has not started.
func New(o Options) *Node {
	o.Parallel = max(o.Parallel, 1)
	if o.MaxReply <= 0 {
		o.MaxReply = 16 << 30
	}
	n := &Node{o: o, link: &link{base: "https://" + o.SuperLink, transport: o.Transport, version: o.FlwrVersion},
		slots: make(chan struct{}, o.Parallel), refused: make(chan struct{})}
	n.id.Store(o.NodeID)
	n.runs = &runs{n: n, byID: map[uint64]*run{}}
	n.contexts = newContexts(n.dir("contexts"))
	n.taken = taken{dir: n.dir("taken")}
	return n
}

// SetConfig sets the node config of runs that begin from now on; values are int64, float64, bool or string.
func (n *Node) SetConfig(config map[string]any) error {
	values, err := wire.Scalars(config)
	if err != nil {
		return err
	}
	n.configMu.Lock()
	n.config = values
	n.configMu.Unlock()
	return nil
}

// Run connects to the SuperLink and handles messages until ctx ends, when it returns nil after all ClientApps have ended. It tries
// for ever while the SuperLink is away. An error is final: [ErrRefused], or one of this machine.
func (n *Node) Run(ctx context.Context) error {
	if err := n.prepare(); err != nil {
		return err
	}
	api, err := listen(n.o.Port)
	if err != nil {
		return err
	}
	n.api = api
	defer api.close()
	if n.id.Load() != 0 { // a SuperLink that believes the node to be online still, after it was killed, is told otherwise
		n.goodbye(ctx)
	}
	if err := n.activate(ctx); err != nil {
		return ended(ctx, err)
	}
	defer n.deactivate(ctx)
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var life sync.WaitGroup
	life.Go(func() { n.heartbeats(working) })
	left := n.taken.open() // before a message of this node's own is noted
	life.Go(func() { n.answerLeftovers(working, left) })
	err = n.poll(working)
	stop(errStopped)
	n.tasks.Wait()
	life.Wait()
	return ended(ctx, err)
}

// errStopped is why a ClientApp ends when the node does.
var errStopped = errors.New("the participant stopped the SuperNode")

func ended(ctx context.Context, err error) error {
	if errors.Is(err, errRefused) || ctx.Err() == nil {
		return err
	}
	return nil
}

func (n *Node) prepare() error {
	_ = os.RemoveAll(n.dir("spool")) // of a node that was killed
	for _, dir := range []string{n.o.Dir, n.dir("fabs"), n.dir("contexts"), n.dir("taken")} {
		if err := os.MkdirAll(dir, objectsMode); err != nil {
			return fmt.Errorf("making the SuperNode's directory: %w", err)
		}
	}
	return nil
}

// activate brings the node online.
func (n *Node) activate(ctx context.Context) error {
	in := &flwrpb.ActivateNodeRequest{PublicKey: n.o.PublicPEM, HeartbeatInterval: heartbeatInterval}
	for {
		var out flwrpb.ActivateNodeResponse
		err := n.link.call(ctx, "/v1/fleet/activate-node", in, &out)
		if err == nil {
			n.id.Store(out.GetNodeId())
			n.o.Log("Connected to the SuperLink. SuperNode ID: %d.", out.GetNodeId())
			n.o.Online(out.GetNodeId())
			return nil
		}
		var e *wire.Error
		if !errors.As(err, &e) || e.Status != http.StatusPreconditionFailed {
			return err
		}
		n.o.Log("The SuperLink believes that this SuperNode is online already; trying again until it no longer does.")
		if !sleep(ctx, emptyPause) {
			return context.Cause(ctx)
		}
	}
}

func (n *Node) deactivate(ctx context.Context) {
	select {
	case <-n.refused:
	default:
		n.goodbye(context.WithoutCancel(ctx))
	}
}

func (n *Node) goodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, goodbyeLimit)
	defer cancel()
	_ = n.link.once(ctx, "/v1/fleet/deactivate-node", &flwrpb.DeactivateNodeRequest{NodeId: n.id.Load()}, &flwrpb.DeactivateNodeResponse{})
}

func (n *Node) node() *flwrpb.Node { return &flwrpb.Node{NodeId: n.id.Load()} }

// heartbeats tells the SuperLink that the node is there, and connects again when the SuperLink has forgotten it.
func (n *Node) heartbeats(ctx context.Context) {
	for pause := heartbeatEvery; sleep(ctx, pause-2*time.Second+rand.N(4*time.Second)); {
		pause = heartbeatEvery
		known, err := n.beat(ctx)
		if err == nil && !known {
			n.o.Log("The SuperLink does not know this SuperNode as online; connecting again.")
			err = n.activate(ctx)
		}
		if errors.Is(err, errRefused) {
			if _, err = n.beat(ctx); errors.Is(err, errRefused) { // one alone may have been signed before the clock was set right
				n.end()
				return
			}
		}
		if err != nil {
			pause = 4 * time.Second // a beat that was lost is made up for
		}
	}
}

func (n *Node) beat(ctx context.Context) (known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, heartbeatLimit)
	defer cancel()
	in := &flwrpb.SendNodeHeartbeatRequest{Node: n.node(), HeartbeatInterval: heartbeatInterval}
	var out flwrpb.SendNodeHeartbeatResponse
	err = n.link.once(ctx, "/v1/fleet/send-node-heartbeat", in, &out)
	return out.GetSuccess(), err
}

// end gives the node up because the SuperLink does not accept it any more.
func (n *Node) end() { n.refuse.Do(func() { close(n.refused) }) }

// poll takes messages and has each handled, as many at a time as there are slots.
func (n *Node) poll(ctx context.Context) error {
	for {
		select {
		case n.slots <- struct{}{}:
		case <-n.refused:
			return errRefused
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		m, err := n.next(ctx)
		if err != nil {
			<-n.slots
			return err
		}
		n.tasks.Go(func() {
			release := sync.OnceFunc(func() { <-n.slots })
			defer release()
			defer n.handling.Delete(m.id())
			n.handle(ctx, m, release)
		})
	}
}

// begin reports whether a message is new. A SuperLink may send a message again when it has not been confirmed for a while.
func (n *Node) begin(m *message) bool {
	_, known := n.handling.LoadOrStore(m.id(), true)
	if known {
		n.o.Log("Received again while it is being handled, so ignored: %s.", m.words())
	}
	return !known
}

// next waits for a message.
func (n *Node) next(ctx context.Context) (*message, error) {
	for {
		began := time.Now()
		var out flwrpb.PullMessagesResponse
		in := &flwrpb.PullMessagesRequest{Node: n.node()}
		err := n.pull(ctx, in, &out)
		if err != nil {
			return nil, err
		}
		if m := received(&out); m != nil && n.begin(m) {
			m.bytes.Add(int64(proto.Size(in)))
			return m, nil
		}
		if time.Since(began) < shortPoll && !sleep(ctx, emptyPause) {
			return nil, context.Cause(ctx)
		}
	}
}

// pull polls once. A poll that broke off is not repeated as it is: the SuperLink may have handed out a message with it.
func (n *Node) pull(ctx context.Context, in *flwrpb.PullMessagesRequest, out *flwrpb.PullMessagesResponse) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-n.refused:
			cancel(errRefused)
		case <-ctx.Done():
		}
	}()
	err := persist(ctx, func() error {
		ctx, cancel := context.WithTimeout(ctx, pollLimit)
		defer cancel()
		return n.link.once(ctx, "/v1/fleet/pull-messages", in, out)
	})
	if errors.Is(err, errRunOver) { // says nothing of the node
		return nil
	}
	return err
}

func received(out *flwrpb.PullMessagesResponse) *message {
	if len(out.GetMessagesList()) == 0 || len(out.GetMessageObjectTrees()) == 0 {
		return nil
	}
	m := &message{proto: out.GetMessagesList()[0], tree: out.GetMessageObjectTrees()[0]}
	if !wire.IsObjectID(m.id()) || m.id() != m.tree.GetObjectId() {
		return nil // it could not be answered, and its name is used for a file
	}
	return m
}
