package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"
	"blossomtune/internal/flower/launcher"
	"blossomtune/internal/flower/observe"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/keeper"
)

// Sink stores what is observed of a run, before the ServerApp gets its answer.
type Sink interface {
	Record(ctx context.Context, o domain.Observation) error
}

// ServeOptions are the parts of a keeper process.
type ServeOptions struct {
	DataDir      string
	FederationID int64
	Sink         Sink
	FAB          func(ctx context.Context, engineRunID uint64) ([]byte, error) // the app of a run; [domain.NotFound] where there is none
	Clock        domain.Clock
	Log          *slog.Logger
	Policy       keeper.Policy // of the SuperLink; zero: [keeper.DefaultPolicy]
	LinkStore    LinkStore     // of the builtin SuperLink
	SetNodeID    SetNodeID     // of Flower's SuperLink; nil: nodes have the ids that it gives them
	Silence      time.Duration // a SuperLink that answers no health check for so long is restarted; zero: 30 s
}

// Serve is the body of a keeper process: it runs the federation's SuperLink and launcher until ctx ends or it is told to stop
// over its socket. Nothing that it started runs when it returns. When another keeper has the federation it returns a
// [domain.Conflict] error and has touched nothing.
func Serve(ctx context.Context, o ServeOptions) error {
	dir := FedDir(o.DataDir, o.FederationID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making %s: %w", dir, err)
	}
	lock, err := lockKeeper(filepath.Join(dir, lockName))
	if err != nil {
		return err
	}
	defer func() { _ = lock.Release() }()
	if n := keeper.KillStrays(flwrHomeEnv, dir); n > 0 {
		o.Log.Warn("killed what an earlier keeper left", "processes", n)
	}
	k, err := newServer(o, dir)
	if err != nil {
		return err
	}
	return k.serve(ctx)
}

// engineLink is the SuperLink of a keeper, whichever it is.
type engineLink interface {
	Status() domain.SuperLink
	run(ctx context.Context)
	start()
	acquire(ctx context.Context, engineRunID uint64) (*wire.Task, error)
	// runtime makes the Runtime API of an Observer's run.
	runtime(seen *observe.Observer) (http.Handler, error)
	routes(mux *http.ServeMux)
}

// server is one running keeper.
type server struct {
	o        ServeOptions
	dir      string
	dirID    string
	flwr     string
	engine   string // [Flower] or [Builtin]
	link     engineLink
	launcher *launcher.Launcher
	pushes   atomic.Uint64
	stored   atomic.Uint64
	key      string // of the socket
	stop     context.CancelFunc

	mu   sync.Mutex
	subs map[chan struct{}]bool
}

func newServer(o ServeOptions, dir string) (*server, error) {
	var set settings
	if err := readJSON(filepath.Join(dir, settingsName), &set); err != nil {
		return nil, fmt.Errorf("reading the keeper's settings: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, homeName), 0o700); err != nil {
		return nil, err
	}
	if err := ensureTLS(dir, o.Clock()); err != nil {
		return nil, err
	}
	secret, err := ensureSecret(dir)
	if err != nil {
		return nil, err
	}
	st, err := readState(dir)
	if err != nil {
		o.Log.Warn("the keeper's state cannot be read; starting with a new one", "err", err)
	}
	here := filelock.DirID(dir)
	if st.Dir != "" && st.Dir != here {
		st.Port = 0 // this directory is a copy, and the port is the original's
	}
	st.Dir = here
	st.Keeper, _ = keeper.Of(os.Getpid())
	if err := writeJSON(filepath.Join(dir, stateName), st); err != nil {
		return nil, err
	}
	if o.Policy == (keeper.Policy{}) {
		o.Policy = keeper.DefaultPolicy
	}
	k := &server{o: o, dir: dir, dirID: st.Dir, flwr: set.Env.FlwrVersion, subs: map[chan struct{}]bool{}, key: socketKey(secret)}
	if k.engine = cmp.Or(set.Engine, Flower); k.engine == Builtin {
		k.link = &builtinLink{fedDir: dir, open: o.LinkStore, clock: o.Clock, changed: k.changed, policy: o.Policy,
			again: make(chan struct{}, 1)}
	} else {
		k.link = &flowerLink{fedDir: dir, env: set.Env, clock: o.Clock, log: o.Log, changed: k.changed, policy: o.Policy, setNodeID: o.SetNodeID,
			silence: cmp.Or(o.Silence, defaultSilence), again: make(chan struct{}, 1), secret: secret}
	}
	k.launcher, err = launcher.New(launcher.Options{
		FedDir: dir, EnvDir: filepath.Join(filepath.Dir(set.Env.Dir),
			"apps"), FAB: o.FAB, Env: set.Env, LogMax: set.RunLog, Changed: k.changed, Clock: o.Clock, Log: o.Log, Proxy: k.runtime,
		Acquire: k.link.acquire,
	})
	return k, err
}

func (k *server) serve(ctx context.Context) error {
	ctx, k.stop = context.WithCancel(ctx)
	defer k.stop()
	ln, err := listenSocket(k.dir)
	if err != nil {
		return err
	}
	defer os.Remove(filepath.Join(k.dir, sockName))
	srv := &http.Server{Handler: keyed(k.key, k.routes()), ReadHeaderTimeout: 10 * time.Second, Protocols: &http.Protocols{},
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams}}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	go func() {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			k.o.Log.Error("the keeper's socket failed", "err", err)
			k.stop()
		}
	}()
	linkCtx, stopLink := context.WithCancel(context.Background())
	defer stopLink()
	linkDone := make(chan struct{})
	go func() { defer close(linkDone); k.link.run(linkCtx) }()
	go k.rotateLog(ctx)
	k.o.Log.Info("keeper ready", "federation", k.o.FederationID, "pid", os.Getpid())
	<-ctx.Done()
	k.o.Log.Info("keeper stops")
	k.launcher.Close(serverAppWait) // while the SuperLink still takes their last words
	stopLink()
	<-linkDone
	_ = srv.Close()
	return nil
}

// rotateLog keeps the keeper's own log, which the manager opened for it, from growing for ever.
func (k *server) rotateLog(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = keeperLogKeep.Rotate(filepath.Join(k.dir, keeperLog)) // the next look tries again
		}
	}
}

// changed tells everybody who listens; nobody can block it.
func (k *server) changed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := range k.subs {
		select {
		case c <- struct{}{}:
		default: // a change is waiting already, and it is told with the newest state
		}
	}
}

func (k *server) status() Status {
	return Status{Protocol: protocol, PID: os.Getpid(), Dir: k.dirID, Flwr: k.flwr, Engine: k.engine, SuperLink: k.link.Status(),
		Tasks: k.launcher.Tasks(), Pushes: k.pushes.Load(), Stored: k.stored.Load()}
}

func (k *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(k.status()) })
	mux.HandleFunc("GET /events", k.events)
	mux.HandleFunc("GET /same", k.same)
	mux.HandleFunc("POST /launch", func(w http.ResponseWriter, r *http.Request) {
		var o launcher.Order
		if decode(w, r, &o) {
			answer(w, k.launcher.Launch(o))
		}
	})
	mux.HandleFunc("POST /kill", func(w http.ResponseWriter, r *http.Request) {
		var o killOrder
		if decode(w, r, &o) {
			k.launcher.Kill(o.EngineRunID, min(max(o.Grace, 0), time.Minute), cmp.Or(o.Why, domain.KilledStop))
			answer(w, nil)
		}
	})
	k.link.routes(mux)
	mux.HandleFunc("POST /start", func(w http.ResponseWriter, _ *http.Request) {
		k.link.start()
		answer(w, nil)
	})
	mux.HandleFunc("POST /stop", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, nil)
		k.stop()
	})
	return mux
}

// maxStreams is how many calls one connection to the keeper's socket carries at once: a poll of each SuperNode, and more.
const maxStreams = 50_000

type killOrder struct {
	EngineRunID uint64            `json:"engine_run_id"`
	Grace       time.Duration     `json:"grace"`
	Why         domain.KillReason `json:"why,omitempty"`
}

const maxOrder = 64 << 10

func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder)).Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// eventGap lies between two statuses on one connection: a thousand replies that come at once are told in a few.
const eventGap = 20 * time.Millisecond

// events writes the status now and after every change, one JSON value a line, until the other side goes.
func (k *server) events(w http.ResponseWriter, r *http.Request) {
	c := make(chan struct{}, 1)
	k.mu.Lock()
	k.subs[c] = true
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		delete(k.subs, c)
		k.mu.Unlock()
	}()
	rc := http.NewResponseController(w)
	enc := json.NewEncoder(w)
	gap := time.NewTicker(eventGap)
	defer gap.Stop()
	for {
		select {
		case <-gap.C:
		case <-r.Context().Done():
			return
		}
		if enc.Encode(k.status()) != nil || rc.Flush() != nil {
			return
		}
		select {
		case <-c:
		case <-r.Context().Done():
			return
		}
	}
}
