package engine

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/launcher"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/keeper"
	"blossomtune/internal/safely"
)

// ManagerOptions are the parts a [Manager] works with.
type ManagerOptions struct {
	DataDir string
	// Env returns the Python environment, making it if needed; a keeper that is running already does not need it.
	Env func(ctx context.Context) (python.Env, error)
	// Keeper is how a federation's keeper process is started; LogFile is filled in.
	Keeper func(fedID int64) keeper.Spec
	// Engine tells the engine that a federation is to have, [Flower] or [Builtin], or "" while it cannot be told; nil: Flower for all. Call
	// [Manager.Recheck] when it has changed.
	Engine  func(fedID int64) string
	Changed func(fedID int64) // called after every change that a keeper tells; may be nil
	// Pushed is called when messages for a federation's SuperNodes have reached its SuperLink; may be nil.
	Pushed func(fedID int64)
	// Stored is called when metrics or exchanges of a federation's runs have reached the database; may be nil.
	Stored func(fedID int64)
	RunLog int64 // bytes that are kept of a run's log; 0: all
	Clock  domain.Clock
	Log    *slog.Logger
}

// Manager starts and stops the keepers of the federations and knows what they say. It is safe for concurrent use.
type Manager struct {
	o   ManagerOptions
	ctx context.Context // ends with Detach
	end context.CancelFunc
	wg  sync.WaitGroup

	mu      sync.Mutex
	engines map[int64]*managed
}

// NewManager returns a manager that runs nothing yet.
func NewManager(o ManagerOptions) *Manager {
	if o.Changed == nil {
		o.Changed = func(int64) {}
	}
	if o.Pushed == nil {
		o.Pushed = func(int64) {}
	}
	if o.Stored == nil {
		o.Stored = func(int64) {}
	}
	if o.Engine == nil {
		o.Engine = func(int64) string { return Flower }
	}
	ctx, end := context.WithCancel(context.Background())
	return &Manager{o: o, ctx: ctx, end: end, engines: map[int64]*managed{}}
}

func (m *Manager) engine(fedID int64) *managed {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.engines[fedID]
	if e == nil {
		dir := FedDir(m.o.DataDir, fedID)
		e = &managed{m: m, fedID: fedID, dir: dir, link: newLink(dir), streams: newStreams(dir), replies: newReplies(),
			poke: make(chan struct{}, 1), recheck: make(chan struct{}, 1), st: Status{SuperLink: domain.SuperLink{State: domain.SuperLinkStopped}}}
		m.engines[fedID] = e
	}
	return e
}

// Start keeps the federation's engine running from now on: a keeper that runs already is taken back, else one is started.
// One that has been given up is tried anew. It returns at once; [Manager.Status] tells how it goes.
func (m *Manager) Start(fedID int64) {
	e := m.engine(fedID)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cancel != nil && e.st.SuperLink.State == domain.SuperLinkFailed {
		other := e.st.SuperLink.Leaving
		e.st.SuperLink = domain.SuperLink{State: domain.SuperLinkStarting, Since: m.o.Clock().UTC()}
		m.wg.Go(func() { safely.Go(m.o.Log, "restarting an engine", func() { e.again(m.ctx, other) }) })
		m.notify(fedID)
	}
	if e.cancel != nil || m.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(m.ctx)
	e.cancel, e.done = cancel, make(chan struct{})
	e.st.SuperLink = domain.SuperLink{State: domain.SuperLinkStarting, Since: m.o.Clock().UTC()}
	done := e.done
	m.wg.Go(func() {
		defer close(done)
		safely.Keep(ctx, m.o.Log, "keeping an engine", func() { e.keep(ctx) })
	})
	m.notify(fedID)
}

// notify calls Changed without waiting for it.
func (m *Manager) notify(fedID int64) {
	go safely.Go(m.o.Log, "an engine has changed", func() { m.o.Changed(fedID) })
}

// Stop ends the federation's engine with everything in it, and waits for its end.
func (m *Manager) Stop(ctx context.Context, fedID int64) error {
	return m.engine(fedID).stop(ctx)
}

// Detach lets go of all keepers, which run on.
func (m *Manager) Detach() {
	m.end()
	m.wg.Wait()
}

// StopAll ends all engines that were started here.
func (m *Manager) StopAll(ctx context.Context) error {
	m.mu.Lock()
	ids := make([]int64, 0, len(m.engines))
	for id := range m.engines {
		ids = append(ids, id)
	}
	m.mu.Unlock()
	var wg sync.WaitGroup
	errs := make([]error, len(ids))
	for i, id := range ids {
		wg.Go(func() { errs[i] = safely.Do(m.o.Log, "stopping an engine", func() error { return m.Stop(ctx, id) }) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Status returns the state of a federation's SuperLink as its keeper told it last.
func (m *Manager) Status(fedID int64) domain.SuperLink {
	e := m.engine(fedID)
	engine := e.runs()
	e.mu.Lock()
	defer e.mu.Unlock()
	st := e.st.SuperLink
	st.Engine = engine
	return st
}

// Recheck replaces the federation's keeper if it has another engine than the federation is to have, as soon as its runs have ended. It
// returns at once.
func (m *Manager) Recheck(fedID int64) {
	e := m.engine(fedID)
	select {
	case e.recheck <- struct{}{}:
	default: // one waits already
	}
	m.notify(fedID)
}

// Keyed reports whether the federation's SuperLink starts a run with a key once. It is false also while that is not known.
func (m *Manager) Keyed(fedID int64) bool {
	e := m.engine(fedID)
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.st.Engine == Builtin
}

// KeeperPID returns the process of a federation's keeper, 0 while none answers.
func (m *Manager) KeeperPID(fedID int64) int {
	e := m.engine(fedID)
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.st.PID
}

// Control returns what gives orders to the federation's SuperLink, or a [domain.Unavailable] error while it is not up.
func (m *Manager) Control(fedID int64) (Control, error) {
	e := m.engine(fedID)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.st.SuperLink.State == domain.SuperLinkUp && e.st.Engine == Builtin {
		return builtinControl{e.link}, nil
	}
	c, err := e.flower()
	if err != nil {
		return nil, err
	}
	return flowerControl{c, e.link, m.o.Log}, nil
}

// flower returns a client of Flower's SuperLink. The caller holds the lock.
func (e *managed) flower() (*wire.Client, error) {
	addr := e.st.SuperLink.Address
	if e.st.SuperLink.State != domain.SuperLinkUp || addr == "" || addr == inKeeper {
		return nil, domain.Errorf(domain.Unavailable, "The SuperLink is %s.", e.st.SuperLink.State).Fix("Start it, or wait until it is up.")
	}
	if e.client == nil || e.clientAddr != addr {
		roots, err := loadRoots(e.dir)
		if err != nil {
			return nil, domain.Errorf(domain.Unavailable, "The SuperLink's certificate cannot be read.").Because(err)
		}
		e.client, e.clientAddr, e.tls = wire.NewClient(addr, roots), addr, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return e.client, nil
}

// For tells the gateway where a federation's SuperLink is; false while it is not up.
func (m *Manager) For(fedID int64) (addr string, tlsConfig *tls.Config, ok bool) {
	e := m.engine(fedID)
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.flower(); err != nil {
		return "", nil, false
	}
	return e.clientAddr, e.tls, true
}

// Builtin returns the transport to a federation's SuperLink where that is the builtin one and up; else nil. It holds empty polls itself
// for as long as [superlink.HeaderHold] says.
func (m *Manager) Builtin(fedID int64) http.RoundTripper {
	e := m.engine(fedID)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.st.SuperLink.State != domain.SuperLinkUp || e.st.Engine != Builtin {
		return nil
	}
	return e.streams
}

// Launch lets the launcher start a run's ServerApp. It is idempotent. A keeper of another version may not heed all that an order
// says: it gets none, and the error is [domain.Unavailable] until it is replaced.
func (m *Manager) Launch(ctx context.Context, fedID int64, o launcher.Order) error {
	if m.Status(fedID).Leaving {
		return domain.Errorf(domain.Unavailable,
			"The engine was started by another version of this server and takes no new runs.").
			Fix("It is restarted when the runs that it has have ended.")
	}
	return m.engine(fedID).link.order(ctx, "/launch", o)
}

// killGrace is how long a ServerApp may take to end by itself.
const killGrace = 3 * time.Second

// Kill ends a run's ServerApp with its descendants and waits for its end. Its task tells why.
func (m *Manager) Kill(ctx context.Context, fedID int64, engineRunID uint64, why domain.KillReason) error {
	return m.engine(fedID).link.order(ctx, "/kill", killOrder{EngineRunID: engineRunID, Grace: killGrace, Why: why})
}

// Tasks lists the launcher's tasks, ended ones included, as the keeper knows them at this moment.
func (m *Manager) Tasks(ctx context.Context, fedID int64) ([]launcher.Task, error) {
	st, err := m.engine(fedID).link.status(ctx)
	return st.Tasks, err
}

// RunDir returns the directory of an engine run.
func (m *Manager) RunDir(fedID int64, engineRunID uint64) string {
	return launcher.RunDir(FedDir(m.o.DataDir, fedID), engineRunID)
}

// LogFile returns the path of the log of a part: "superlink" or "keeper".
func (m *Manager) LogFile(fedID int64, part string) (string, error) {
	names := map[string]string{"superlink": superlinkLog, "keeper": keeperLog}
	name, ok := names[part]
	if !ok {
		return "", domain.Errorf(domain.NotFound, "There is no log of %q.", part)
	}
	return filepath.Join(FedDir(m.o.DataDir, fedID), name), nil
}
