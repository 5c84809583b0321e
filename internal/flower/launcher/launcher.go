package launcher

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/flower/wire"
)

// Sign is something that a ServerApp's calls tell.
type Sign struct {
	Kind               SignKind
	SubStatus, Details string // of SignOutput
	Shapes             domain.Shapes
}

// SignKind says what was seen.
type SignKind string

// Signs that matter to the launcher.
const (
	SignRequest   SignKind = "request"   // the first request of all
	SignHeartbeat SignKind = "heartbeat" // the first heartbeat
	SignShapes    SignKind = "shapes"    // how the newest replies' arrays are made, of one that fails
	SignOutput    SignKind = "output"    // push-task-output: what the ServerApp says of its own end
)

// Options are the parts a [Launcher] works with.
type Options struct {
	FedDir string
	EnvDir string // holds the environments of apps; launchers share it
	Env    python.Env
	FAB    func(ctx context.Context, engineRunID uint64) ([]byte, error) // a run's app; a [domain.NotFound] error is final
	// Acquire returns a ServerApp's task that is pending, that of the run where the SuperLink can choose; nil when there is none.
	Acquire func(ctx context.Context, engineRunID uint64) (*wire.Task, error)
	// Proxy makes the one Runtime API that a run's ServerApp knows, and tells what it sees.
	Proxy   func(engineRunID uint64, onSign func(Sign)) http.Handler
	Changed func() // called after every change of a task
	LogMax  int64  // bytes that are kept of a run's log; 0: all
	Clock   domain.Clock
	Log     *slog.Logger
}

// Launcher is the launcher of one federation. Its methods are safe for concurrent use.
type Launcher struct {
	Options

	mu      sync.Mutex
	closing bool
	tasks   map[uint64]*Task
	jobs    map[uint64]*job
	held    map[uint64]heldTask // acquired, not ordered (yet)
	wg      sync.WaitGroup

	acquiring sync.Mutex
	apps      *apps
	prepare   func(context.Context, *job) (*app, error)
}

// heldTask is a task that the SuperLink handed out while another was wanted. Its claim lapses after 30 s (flwr 1.42), then
// the SuperLink hands it out again.
type heldTask struct {
	wire.Task
	until time.Time
}

const claimLife = 20 * time.Second

// New returns a launcher that knows the tasks of earlier ones.
func New(o Options) (*Launcher, error) {
	tasks, err := loadTasks(o.FedDir, o.Clock().UTC(), o.Log)
	if err != nil {
		return nil, err
	}
	return &Launcher{Options: o, tasks: tasks, jobs: map[uint64]*job{}, held: map[uint64]heldTask{},
		apps: &apps{o: o, pools: map[poolKey]*appPool{}}, prepare: prepare}, nil
}

// Launch orders a run's ServerApp. It is idempotent: a run that was ordered before, ended ones included, stays as it is.
func (l *Launcher) Launch(o Order) error {
	if o.EngineRunID == 0 {
		return domain.Errorf(domain.Invalid, "An order names an engine run.").At("engine_run_id")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return domain.Errorf(domain.Unavailable, "The engine is being stopped.")
	}
	if _, known := l.tasks[o.EngineRunID]; known {
		return nil
	}
	t := &Task{EngineRunID: o.EngineRunID, State: Ordered, OrderedAt: l.Clock().UTC(), ExitCode: -1}
	if err := writeTask(RunDir(l.FedDir, o.EngineRunID), *t); err != nil {
		return fmt.Errorf("keeping the order: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	j := &job{l: l, order: o, dir: RunDir(l.FedDir, o.EngineRunID), cancel: cancel, done: make(chan struct{})}
	l.tasks[o.EngineRunID], l.jobs[o.EngineRunID] = t, j
	l.wg.Go(func() {
		defer close(j.done)
		defer cancel()
		j.run(ctx)
		l.mu.Lock()
		delete(l.jobs, o.EngineRunID)
		l.mu.Unlock()
	})
	go l.Changed()
	return nil
}

// Kill ends a run's ServerApp with its descendants, asked first, and waits until it has ended; an order that waits is dropped. The task
// tells why. A run that does not run is no error.
func (l *Launcher) Kill(engineRunID uint64, grace time.Duration, why domain.KillReason) {
	l.mu.Lock()
	j := l.jobs[engineRunID]
	l.mu.Unlock()
	if j == nil {
		return
	}
	j.stop(grace, why)
	<-j.done
}

// Close ends all ServerApps and takes no orders any more.
func (l *Launcher) Close(grace time.Duration) {
	l.mu.Lock()
	l.closing = true
	jobs := make([]*job, 0, len(l.jobs))
	for _, j := range l.jobs {
		jobs = append(jobs, j)
	}
	l.mu.Unlock()
	for _, j := range jobs {
		go j.stop(grace, domain.KilledEngine)
	}
	l.wg.Wait()
	l.apps.close()
}

// keptTasks is how many tasks [Launcher.Tasks] lists; older ones stay in their directories.
const keptTasks = 100

// Tasks lists the tasks that have not ended and the newest of the others.
func (l *Launcher) Tasks() []Task {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Task, 0, len(l.tasks))
	for _, t := range l.tasks {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b Task) int {
		if (a.State == Ended) != (b.State == Ended) {
			if b.State == Ended {
				return -1
			}
			return 1
		}
		return b.OrderedAt.Compare(a.OrderedAt)
	})
	live := 0
	for live < len(out) && out[live].State != Ended {
		live++
	}
	return out[:min(len(out), live+keptTasks)]
}

// update changes a task, durably, before anybody hears of it.
func (l *Launcher) update(id uint64, change func(*Task)) {
	l.mu.Lock()
	t := l.tasks[id]
	change(t)
	copied := *t
	if err := writeTask(RunDir(l.FedDir, id), copied); err != nil {
		l.Log.Error("keeping a task's state", "engine_run", id, "err", err)
	}
	l.mu.Unlock()
	l.Changed()
}

// acquire waits for the SuperLink to hand out the run's task.
func (l *Launcher) acquire(ctx context.Context, engineRunID uint64) (wire.Task, error) {
	wait := 20 * time.Millisecond
	for {
		t, ok, err := l.tryAcquire(ctx, engineRunID)
		if ok {
			return t, nil
		}
		if err != nil && ctx.Err() == nil {
			l.Log.Warn("acquiring a task", "engine_run", engineRunID, "err", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return wire.Task{}, ctx.Err()
		case <-timer.C:
		}
		if wait *= 2; wait > time.Second {
			wait = time.Second
		}
	}
}

func (l *Launcher) tryAcquire(ctx context.Context, engineRunID uint64) (wire.Task, bool, error) {
	l.acquiring.Lock()
	defer l.acquiring.Unlock()
	if t, ok := l.takeHeld(engineRunID); ok {
		return t, true, nil
	}
	t, err := l.Acquire(ctx, engineRunID)
	if err != nil || t == nil {
		return wire.Task{}, false, err
	}
	if t.RunID == engineRunID {
		return *t, true, nil
	}
	l.mu.Lock()
	l.held[t.RunID] = heldTask{Task: *t, until: l.Clock().Add(claimLife)}
	l.mu.Unlock()
	return wire.Task{}, false, nil
}

func (l *Launcher) takeHeld(engineRunID uint64) (wire.Task, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, h := range l.held {
		if l.Clock().After(h.until) {
			delete(l.held, id)
		}
	}
	h, ok := l.held[engineRunID]
	delete(l.held, engineRunID)
	return h.Task, ok
}
