package apphost

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper/contain"
	"blossomtune/internal/logfile"
)

// Program is one of Flower's programs for apps.
type Program string

// The programs that a [Pool] starts.
const (
	ClientApp Program = python.ClientApp
	ServerApp Program = python.ServerApp
)

// Options say where a [Pool] keeps its environments and how it starts processes.
type Options struct {
	Base python.Env // has flwr and uv
	Dir  string     // holds the environments and programs; several processes may share it

	Install bool          // apps may install the packages that they declare
	Sources bool          // packages without a wheel may be built from source, which runs their code during the installation
	MaxEnvs int           // environments kept while unused; default 8
	MaxAge  time.Duration // an environment unused for longer is removed; default 30 days
	Limit   time.Duration // of one build; default 30 minutes

	BuildUID    int  // the user that builds run as, where this process is root and can lend them its folders; 0: this process's own
	Uncontained bool // environments are built with all rights of this process; apps themselves: see [Ready.Enter]

	MaxTemplates int  // warm templates at a time; default 2; negative: none
	NoPreload    bool // templates import Flower only, not what the apps import

	Home     string       // FLWR_HOME
	Work     string       // the working directory where a start names none
	Log      string       // file for the templates' output
	LogKeep  logfile.Keep // of Log
	ExtraEnv []string     // added to the environment of every process

	Progress func(line string) // receives progress lines while an environment is built; may be nil
	Clock    domain.Clock      // default: the system's
}

// Pool prepares environments and starts app processes. Its methods are safe for concurrent use.
type Pool struct {
	o      Options
	base   *base
	others bool            // apps may run as other users
	ctx    context.Context // ends with the pool
	cancel context.CancelFunc
	builds sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	apps      map[[sha256.Size]byte]summary // recently seen FABs
	envs      map[string]*environment       // open ones, by key
	building  map[string]*build
	failures  map[string]*failure
	modules   map[moduleKey][]module
	proofs    map[string]proof     // of environments whose content was checked, by key
	templates []*template          // most recently used last
	unsafe    map[string]time.Time // templates that failed, and when
	swept     time.Time
}

// Bounds of what a pool remembers.
const (
	maxApps     = 64
	maxFailures = 256
)

// New returns a pool. It removes what interrupted builds left behind.
func New(o Options) (*Pool, error) {
	if o.MaxEnvs == 0 {
		o.MaxEnvs = 8
	}
	if o.MaxAge == 0 {
		o.MaxAge = 30 * 24 * time.Hour
	}
	if o.Limit == 0 {
		o.Limit = 30 * time.Minute
	}
	if o.MaxTemplates == 0 {
		o.MaxTemplates = 2
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w", o.Dir, err)
	}
	o.Dir = dir
	if err := writePrograms(o.programs()); err != nil {
		return nil, err
	}
	b, err := openBase(o.Base)
	if err != nil {
		return nil, err
	}
	p := &Pool{o: o, base: b, apps: map[[sha256.Size]byte]summary{}, envs: map[string]*environment{}, building: map[string]*build{},
		failures: map[string]*failure{}, modules: map[moduleKey][]module{}, proofs: map[string]proof{}, unsafe: map[string]time.Time{}}
	if p.others = contain.Check().Users; p.others {
		if err := p.showBase(); err != nil {
			return nil, err
		}
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.swept = o.Clock()
	p.sweep()
	return p, nil
}

// showBase lets the users that apps run as read the base, where it was made for this process's user alone.
func (p *Pool) showBase() error {
	if err := os.Chmod(p.o.Dir, 0o711); err != nil {
		return err
	}
	dir := p.base.env.Dir
	if shownToAll(dir) && shownToAll(p.base.site) && shownToAll(filepath.Join(p.base.site, "flwr")) {
		return nil
	}
	if err := showToAll(dir); err != nil {
		return fmt.Errorf("letting apps read %s: %w", dir, err)
	}
	return nil
}

func (o Options) programs() string { return filepath.Join(o.Dir, "programs") }

// Ready is an environment in use.
type Ready struct {
	Env   python.Env
	Built bool // the app has an environment of its own; false: it runs in the base

	pool    *Pool
	env     *environment
	modules []module
	room    *Room
	once    sync.Once
}

// Enter makes the processes that are started from now on run in a room; nil: uncontained.
func (r *Ready) Enter(room *Room) { r.room = room }

// Release ends the use; the environment may be removed from then on. Calls after the first do nothing.
func (r *Ready) Release() {
	r.once.Do(func() { r.pool.drop(r.env) })
}

// Prepare returns the environment in which the app of a FAB runs: the base when the app needs nothing else or may not install
// anything. It builds one that is missing; concurrent callers wait for the same build, which continues when ctx ends. A build that failed
// returns a [*BuildError], and the same one again until a pause is over, which grows with each failure.
//
// The settings of package indexes in env (UV_* and PIP_* variables) apply to the installation, in addition to the machine's own.
func (p *Pool) Prepare(ctx context.Context, fab []byte, env ...string) (*Ready, error) {
	app, err := p.app(fab)
	if err != nil {
		if !p.o.Install {
			return p.ready(p.takeBase(), nil), nil // Flower explains what is wrong with the FAB
		}
		return nil, &BuildError{Cause: sentence(err), Remedy: "Build the FAB again with `flwr build`.", Err: err}
	}
	var e *environment
	if !p.o.Install || app.none {
		e = p.takeBase()
	} else if e, err = p.take(ctx, app, fab, installSettings(env)); err != nil {
		return nil, err
	}
	return p.ready(e, p.modulesOf(ctx, e, app, fab)), nil
}

func sentence(err error) string {
	return domain.FirstUpper(err.Error()) + "."
}

func (p *Pool) ready(e *environment, modules []module) *Ready {
	return &Ready{Env: e.env, Built: e.lock != nil, pool: p, env: e, modules: modules}
}

// app returns what a FAB says of its packages.
func (p *Pool) app(fab []byte) (summary, error) {
	sum := sha256.Sum256(fab)
	p.mu.Lock()
	known, ok := p.apps[sum]
	p.mu.Unlock()
	if ok {
		return known, nil
	}
	a, err := readProject(fab)
	if err != nil {
		return summary{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.apps) >= maxApps {
		clear(p.apps)
	}
	p.apps[sum] = a.summary
	return a.summary, nil
}

// installSettings picks the variables that uv understands.
func installSettings(env []string) []string {
	var out []string
	for _, kv := range env {
		if strings.HasPrefix(kv, "UV_") || strings.HasPrefix(kv, "PIP_") {
			out = append(out, kv)
		}
	}
	return out
}

// errClosed is what a pool returns after its end.
var errClosed = errors.New("the app host is closed")

// Close ends the templates, with the processes that were made of them, and builds that are under way.
func (p *Pool) Close(grace time.Duration) {
	p.mu.Lock()
	p.closed = true
	templates := p.templates
	p.templates = nil
	p.mu.Unlock()
	p.cancel()
	var wg sync.WaitGroup
	for _, t := range templates {
		wg.Go(func() { t.stop(grace) })
	}
	wg.Wait()
	p.builds.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, e := range p.envs {
		e.unlock()
		delete(p.envs, key)
	}
}

// writePrograms writes the Python programs. Other processes may be starting the same ones, so each is replaced as a whole.
func writePrograms(dir string) error {
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(dir, 0o755)); err != nil { // apps may run as other users
		return fmt.Errorf("making the folder of the programs: %w", err)
	}
	for name, text := range map[string][]byte{
		string(ClientApp) + ".py": python.AppProgram, string(ServerApp) + ".py": python.AppProgram,
		templateName: python.ClientAppTemplate, scanName: scanProgram,
	} {
		f, err := os.CreateTemp(dir, ".new-")
		if err != nil {
			return fmt.Errorf("writing the program %s: %w", name, err)
		}
		_, err = f.Write(text)
		err = errors.Join(err, f.Chmod(0o644), f.Close())
		if err == nil {
			err = os.Rename(f.Name(), filepath.Join(dir, name))
		}
		if err != nil {
			_ = os.Remove(f.Name())
			return fmt.Errorf("writing the program %s: %w", name, err)
		}
	}
	return nil
}
