package fleetload

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
)

// Bounds of a load test.
const (
	MaxNodes    = 20_000
	MaxDuration = 4 * time.Hour
	flwrVersion = "1.42.0"
)

// Options are what a fleet is made of.
type Options struct {
	Target Target
	Keys   []*Key // one for each node; they must be registered at the target
	// Duration ends the fleet, also when nothing else does; at most [MaxDuration].
	Duration    time.Duration
	Ramp        time.Duration // the nodes start evenly within it
	Think       time.Duration // how long a node works on a message; each time between half and one and a half of it
	Objects     int           // of a reply, its Message included; 12 by default
	ObjectBytes int           // of each array of a reply; 1024 by default
	Seed        uint64        // of pauses and start times
	// Patient nodes also repeat calls that flwr gives up on (500, 429, TLS errors) and heed Retry-After, as our agents do.
	Patient bool
	// Agents makes the nodes bind their keys to their connections, as our agents do: a server need not check each signature then.
	Agents bool
	// ReuseSignatures is how long a signature serves; 0 signs every call, which a server that refuses replays needs.
	ReuseSignatures time.Duration
}

func (o *Options) check() error {
	if n := len(o.Keys); n < 1 || n > MaxNodes {
		return domain.Errorf(domain.Invalid, "The number of nodes must be between 1 and %d.", MaxNodes)
	}
	if o.Duration <= 0 || o.Duration > MaxDuration {
		return domain.Errorf(domain.Invalid, "The duration must be between 0 and %s.", MaxDuration)
	}
	if o.Objects == 0 {
		o.Objects = 12
	}
	if o.ObjectBytes == 0 {
		o.ObjectBytes = 1024
	}
	return checkModel(o.Objects, o.ObjectBytes)
}

func checkModel(objects, size int) error {
	if objects < MinObjects || objects > MaxObjects {
		return domain.Errorf(domain.Invalid, "A message has between %d and %d objects.", MinObjects, MaxObjects)
	}
	if size < 8 || size > MaxObjectBytes {
		return domain.Errorf(domain.Invalid, "An array has between 8 and %d bytes.", MaxObjectBytes)
	}
	return nil
}

// Fleet is many SuperNodes at work. Its methods are safe for concurrent use.
type Fleet struct {
	o      Options
	dial   *dialer
	stats  *stats
	count  traffic
	model  model
	nodes  []*node
	began  time.Time
	cpu    time.Duration
	cancel context.CancelFunc
	work   sync.WaitGroup // nodes and heartbeats

	mu      sync.Mutex
	changed chan struct{} // closed when a node comes online or leaves
	ended   *Report
}

// Start starts the nodes. They work until the options' duration is over, ctx ends or [Fleet.Stop] is called.
func Start(ctx context.Context, o Options) (*Fleet, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	dial, err := newDialer(ctx, o.Target)
	if err != nil {
		return nil, err
	}
	f := &Fleet{o: o, dial: dial, stats: newStats(), model: newModel(o.Objects, o.ObjectBytes), changed: make(chan struct{}),
		began: time.Now(), cpu: cpuTime()}
	ctx, f.cancel = context.WithTimeout(ctx, o.Duration)
	for i, k := range o.Keys {
		n := f.newNode(i, k)
		f.nodes = append(f.nodes, n)
	}
	for i, n := range f.nodes {
		f.work.Go(func() { n.live(ctx, o.Ramp*time.Duration(i)/time.Duration(len(f.nodes))) })
	}
	return f, nil
}

func (f *Fleet) newNode(i int, k *Key) *node {
	n := &node{f: f, key: k, runs: map[uint64]bool{}}
	n.caller = caller{pool: &pool{dial: f.dial, from: f.dial.from(i), count: &f.count}, prefix: "/v1/fleet/", host: f.dial.host,
		part:    "SuperNode",
		patient: f.o.Patient, stats: f.stats,
		random: rand.New(rand.NewPCG(f.o.Seed, uint64(i))),
		sign:   func(b []byte) ([]byte, error) { return k.appendSignature(b, f.o.ReuseSignatures) }}
	if f.o.Agents {
		n.pool.bind = func(s tls.ConnectionState) (string, error) { return wire.SignChannel(k.private, s) }
	}
	return n
}

// notify wakes those who wait for nodes.
func (f *Fleet) notify() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.changed)
	f.changed = make(chan struct{})
}

// Online waits until n nodes have been activated. It is an error when ctx ends first, or when so many nodes have left that it cannot
// happen.
func (f *Fleet) Online(ctx context.Context, n int) error {
	for {
		f.mu.Lock()
		next := f.changed
		f.mu.Unlock()
		active, left, why := f.states()
		if active >= n {
			return nil
		}
		if len(f.nodes)-left < n {
			return domain.Errorf(domain.Unavailable, "%d of %d nodes have left.", left, len(f.nodes)).Because(why)
		}
		select {
		case <-next:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Heard counts the nodes that have had an answer since a moment.
func (f *Fleet) Heard(since time.Time) (n int) {
	for _, node := range f.nodes {
		if node.answered.Load() > since.UnixNano() {
			n++
		}
	}
	return n
}

func (f *Fleet) states() (active, left int, why error) {
	for _, n := range f.nodes {
		n.mu.Lock()
		if n.left != nil {
			left, why = left+1, n.left
		} else if n.active {
			active++
		}
		n.mu.Unlock()
	}
	return active, left, why
}

// Wait waits until the nodes have ended, and returns the report.
func (f *Fleet) Wait() *Report {
	f.work.Wait()
	f.cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended == nil {
		f.ended = f.report()
	}
	return f.ended
}

// Stop ends the nodes, which deactivate themselves, and returns the report. What it says of nodes is of the moment before.
func (f *Fleet) Stop() *Report {
	f.mu.Lock()
	if f.ended == nil {
		f.ended = f.report()
	}
	f.mu.Unlock()
	f.cancel()
	return f.Wait()
}

// Run starts a fleet and returns its report when the duration is over or ctx ends.
func Run(ctx context.Context, o Options) (*Report, error) {
	f, err := Start(ctx, o)
	if err != nil {
		return nil, err
	}
	// The report is made while the nodes are still there.
	sleep(ctx, o.Duration-100*time.Millisecond)
	return f.Stop(), nil
}
