// Package fleet is the gateway through which SuperNodes reach their federation's SuperLink: the only part of Flower that the
// outside can touch. A request is forwarded only when its key is enrolled and approved, its signature is fresh and was not seen
// before, and every node id in its body is the key's own; until then not one byte goes upstream. What passes is metered per key.
package fleet

import (
	"context"
	"crypto/tls"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"blossomtune/internal/domain"
	"blossomtune/internal/safely/safehttp"
)

// Keys finds enrolled keys.
type Keys interface {
	// ByFingerprint returns the key, revoked or not. It returns a [domain.NotFound] error for a key that was never
	// enrolled or whose request is not approved; any other error keeps SuperNodes waiting.
	ByFingerprint(ctx context.Context, fingerprint string) (domain.NodeKey, error)
}

// Upstreams tells where a federation's SuperLink is.
type Upstreams interface {
	// For returns the SuperLink's host:port and how to speak TLS to it (nil: plain HTTP); false while it is not up.
	For(federationID int64) (addr string, tlsConfig *tls.Config, ok bool)
	// Builtin returns the transport to the federation's SuperLink where that is ours and up, else nil. Such a SuperLink holds empty polls
	// itself, gives a message again that got lost, and is not harmed by calls that are given up.
	Builtin(federationID int64) http.RoundTripper
}

// SeenStore keeps what the gateway has seen.
type SeenStore interface {
	// SaveSeen stores times, bytes and the online state of keys; it leaves the reported versions (Flwr, Agent, Python) as they are.
	SaveSeen(ctx context.Context, seen []Seen) error
}

// Seen is what was seen of one key.
type Seen struct {
	Key  domain.NodeKey // as last looked up; its own Seen field is old
	Seen domain.NodeSeen
}

// Options of a [Gateway]; zero limits take sensible values.
type Options struct {
	Keys      Keys
	Upstreams Upstreams
	Store     SeenStore    // may be nil: nothing is kept
	Timings   TimingStore  // may be nil: nothing is timed
	OnSeen    func(s Seen) // a key came online or went offline; called without locks; may be nil
	OnStuck   func(s Seen) // a key got stuck, or is no longer; must return at once, must not call the gateway; may be nil
	// ActiveRuns returns the engine ids of a federation's runs that have not ended. SuperNodes that wait for another run's ClientApp are
	// stuck. It may be nil: then none is found.
	ActiveRuns func(ctx context.Context, federationID int64) (map[uint64]bool, error)
	OnUnknown  func(key domain.NodeKey) // the SuperLink does not know an approved key (its database was replaced?); may be nil
	OnReply    func(r Reply)            // all of a reply has reached the SuperLink; must return at once; may be nil
	Flwr       string                   // the version that the SuperLinks run; SuperNodes that are too old are told to install it
	Clock      domain.Clock             // time.Now if nil
	Log        *slog.Logger             // slog.Default if nil

	RatePerKey   float64       // requests per second and key; more are slowed down, then refused; 200
	BurstPerKey  int           // 1000, as agents transfer the objects of a message side by side
	CallsPerKey  int           // requests of one key at once; 24
	Calls        int           // requests at once, held ones included; a tenth is for heartbeats alone; 60,000
	MaxBody      int64         // of any request; 1 GiB
	BodyIdle     time.Duration // longest pause inside a body; 30 s
	AnswerWithin time.Duration // for the SuperLink's answer to begin; 2 min
	Hold         time.Duration // how long an empty poll is held open; 26 s, less than the 30 s of a SuperNode's patience
	LongHold     time.Duration // the same where informational answers keep the call open; 100 s
	Interim      time.Duration // between two informational answers; 20 s
}

// Gateway is the handler of /v1/fleet/*. It is safe for concurrent use.
type Gateway struct {
	o        Options
	started  time.Time    // signatures older than this may have been used before a restart
	safe     http.Handler // serve, with what is left of a panic
	ups      upstreams
	failures failures
	signers  signers
	checks   lane[string] // of signatures, by client address
	lanes    lanesOf
	inside   atomic.Int64 // requests
	wakes    wakes
	timings  timings
	buffers  *semaphore.Weighted // bytes of bodies that are read whole

	mu    sync.Mutex
	nodes map[string]*node // by fingerprint: enrolled keys seen, and keys being looked up
}

// New returns a gateway. Call [Gateway.Restore] before serving, and [Gateway.Run] beside it.
func New(o Options) *Gateway {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	setDefault(&o.RatePerKey, 200)
	setDefault(&o.BurstPerKey, 1000)
	setDefault(&o.CallsPerKey, 24)
	setDefault(&o.Calls, 60_000)
	setDefault(&o.MaxBody, 1<<30)
	setDefault(&o.BodyIdle, 30*time.Second)
	setDefault(&o.AnswerWithin, 2*time.Minute)
	g := &Gateway{o: o, started: o.Clock(), nodes: map[string]*node{}, checks: newChecks()}
	g.failures.limit = rate.Limit(5)
	g.buffers = semaphore.NewWeighted(64 << 20)
	setDefault(&g.o.Hold, defaultHold)
	setDefault(&g.o.LongHold, longHold)
	setDefault(&g.o.Interim, interimEvery)
	g.timings.pending = map[messageKey]*domain.Timing{}
	g.wakes.byFed = map[int64]chan struct{}{}
	g.ups.byFed = map[int64]*upstream{}
	g.ups.answerWithin = o.AnswerWithin
	g.safe = safehttp.Requests(o.Log, "gateway", http.HandlerFunc(g.serve), panicked)
	return g
}

func setDefault[T int | int64 | float64 | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// ServeHTTP forwards a Fleet request or refuses it: 404 what is no Fleet method, 401 what is not right, 503 what can be tried again.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.safe.ServeHTTP(w, r) }

func (g *Gateway) serve(w http.ResponseWriter, r *http.Request) {
	c, began := &call{g: g, w: w, r: r}, time.Now()
	err := c.serve()
	if err != nil {
		c.refuse(err)
	}
	c.measure(began, err)
}

// Forget drops what is remembered of a key, so that its next request is looked up anew. Call it after any change of a key.
func (g *Gateway) Forget(fingerprint string) {
	if n := g.find(fingerprint); n != nil {
		n.forget(nil)
	}
}

// Doubt is Forget for all keys of a federation: call it when it is not known which of them changed.
func (g *Gateway) Doubt(federationID int64) {
	g.mu.Lock()
	nodes := slices.Collect(maps.Values(g.nodes))
	g.mu.Unlock()
	for _, n := range nodes {
		n.mu.Lock()
		own := n.key.FederationID == federationID
		n.mu.Unlock()
		if own {
			n.forget(nil)
		}
	}
}

// Cut is Forget after a revocation: requests of the key that are being held are ended with 401 at once.
func (g *Gateway) Cut(fingerprint string) {
	if n := g.find(fingerprint); n != nil {
		n.forget(errRevoked)
		g.setOffline(n)
	}
}

// Pause is Forget after a suspension: requests of the key that are being held are ended with 503 at once.
func (g *Gateway) Pause(fingerprint string) {
	if n := g.find(fingerprint); n != nil {
		n.forget(errSuspended)
		g.setOffline(n)
	}
}

// Restore loads what was seen before a restart, so that keys that do not come back are found to be offline.
func (g *Gateway) Restore(keys []domain.NodeKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, k := range keys {
		if k.Fingerprint != "" && k.RevokedAt.IsZero() && g.nodes[k.Fingerprint] == nil {
			n := newNode(g, k.Fingerprint)
			n.enrolled, n.key, n.seen = true, k, k.Seen
			g.nodes[k.Fingerprint] = n
		}
	}
}

// flushEvery is how often seen times and bytes go to the store.
const flushEvery = 3 * time.Second

// timingsEvery is how often the times of messages go there: a page that shows a round live looks at them.
const timingsEvery = time.Second

// Run flushes and finds keys gone offline until ctx ends, then flushes once more.
func (g *Gateway) Run(ctx context.Context) {
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	often := time.NewTicker(timingsEvery)
	defer often.Stop()
	for {
		select {
		case <-t.C:
			g.flushLogged(ctx)
		case <-often.C:
			g.timingsLogged(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			g.flushLogged(last)
			g.timingsLogged(last)
			cancel()
			g.ups.close()
			return
		}
	}
}

func (g *Gateway) timingsLogged(ctx context.Context) {
	if err := g.flushTimings(ctx); err != nil && ctx.Err() == nil {
		g.o.Log.Warn("keeping the times of messages failed; it is tried again", "err", err)
	}
}

func (g *Gateway) flushLogged(ctx context.Context) {
	if err := g.findStuck(ctx); err != nil && ctx.Err() == nil {
		g.o.Log.Warn("looking for stuck SuperNodes failed; it is tried again", "err", err)
	}
	if err := g.Flush(ctx); err != nil && ctx.Err() == nil {
		g.o.Log.Warn("keeping what was seen of SuperNodes failed; it is tried again", "err", err)
	}
}
