package launcher

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/keeper"
)

// attempts is how often a ServerApp is started that dies before its first request. A second death of that kind is no accident.
const attempts = 2

// claims is how often a task is acquired whose ServerApp starts too slowly.
const claims = 3

// job takes one order from acquiring its task to the process's end.
type job struct {
	l      *Launcher
	order  Order
	dir    string
	cancel context.CancelFunc
	done   chan struct{}

	port int // of the run's Runtime API

	saying sync.Mutex // held while a line is written into the run's log

	mu      sync.Mutex
	stopped bool
	child   *keeper.Child
}

// stop drops the order or ends the process. The first reason to do so counts.
func (j *job) stop(grace time.Duration, why domain.KillReason) {
	j.mu.Lock()
	j.stopped = true
	child := j.child
	j.mu.Unlock()
	j.l.update(j.order.EngineRunID, func(t *Task) {
		if t.State != Ended && t.Killed == "" {
			t.Killed = why
		}
	})
	j.cancel()
	if child != nil {
		child.Stop(grace)
	}
}

func (j *job) run(ctx context.Context) {
	id := j.order.EngineRunID
	ln, err := j.listen()
	if err != nil {
		j.unprepared(err)
		return
	}
	defer ln.Close()
	app, err := j.l.prepare(ctx, j)
	if err != nil && ctx.Err() == nil {
		j.unprepared(err)
		return
	}
	if err != nil {
		j.end(keeper.Exit{Code: -1}, stoppedEarly)
		return
	}
	defer app.release()
	task, err := j.l.acquire(ctx, id)
	if err != nil {
		j.end(keeper.Exit{Code: -1}, stoppedEarly)
		return
	}
	j.l.Log.Info("acquired a task", "engine_run", id, "task", task.ID)
	j.l.update(id, func(t *Task) { t.TaskID = task.ID })
	exit, err := j.serve(ctx, app, task, ln)
	if err != nil {
		j.l.Log.Error("starting a ServerApp", "engine_run", id, "err", err)
		j.end(keeper.Exit{Code: -1}, "The ServerApp could not be started: "+err.Error()+".")
		return
	}
	j.end(exit, "")
}

const stoppedEarly = "It was stopped before its ServerApp was started."

// unprepared ends a job whose app could not be prepared.
func (j *job) unprepared(err error) {
	j.l.Log.Error("preparing an app", "engine_run", j.order.EngineRunID, "err", err)
	var failed *apphost.BuildError
	if errors.As(err, &failed) {
		j.end(keeper.Exit{Code: ExitDependencies}, "") // the run's log says why
		return
	}
	j.end(keeper.Exit{Code: -1}, "The ServerApp could not be prepared: "+err.Error()+".")
}

func (j *job) end(exit keeper.Exit, reason string) {
	j.l.Log.Info("a ServerApp ended", "engine_run", j.order.EngineRunID, "exit", exit.String(), "reason", reason)
	j.l.update(j.order.EngineRunID, func(t *Task) {
		t.State, t.EndedAt, t.ExitCode, t.Signal, t.Reason, t.PID = Ended, j.l.Clock().UTC(), exit.Code, exit.Signal, reason, 0
	})
}

// listen opens the port of the run's Runtime API: the only one on this machine that its ServerApp may connect to.
func (j *job) listen() (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the ServerApp: %w", err)
	}
	j.port = ln.Addr().(*net.TCPAddr).Port
	return ln, nil
}

// serve gives the run its own Runtime API and runs the ServerApp to its end.
func (j *job) serve(ctx context.Context, app *app, task wire.Task, ln net.Listener) (keeper.Exit, error) {
	srv := &http.Server{Handler: j.l.Proxy(j.order.EngineRunID, j.sign), ReadHeaderTimeout: 30 * time.Second}
	go func() { _ = srv.Serve(ln) }()
	defer srv.Close()
	if err := j.room().Make(); err != nil {
		return keeper.Exit{}, err
	}
	defer os.RemoveAll(filepath.Join(j.dir, homeName)) // the unpacked app; the FAB itself is kept by the server
	for n := 1; ; n++ {
		exit, err := j.attempt(ctx, app, task, ln.Addr().String())
		switch {
		case err != nil:
			return exit, err
		case n < attempts && j.again():
			j.l.Log.Warn("a ServerApp ended before its first request; starting it once more", "engine_run", task.RunID, "exit", exit.String())
		case n < claims && j.lapsed(exit):
			j.l.Log.Warn("a ServerApp started too slowly for the SuperLink; acquiring its task again", "engine_run", task.RunID)
			if task, err = j.reacquire(ctx); err != nil {
				return exit, nil // the SuperLink has ended the run: the process's own end counts
			}
		default:
			return exit, nil
		}
	}
}

// lapsed reports whether the process that just ended was too late: the SuperLink takes back a task that had no heartbeat within 30 s of
// being acquired, refuses its ServerApp, which then ends without an error, and hands the task out again (flwr 1.42).
func (j *job) lapsed(exit keeper.Exit) bool {
	j.mu.Lock()
	stopped := j.stopped
	j.mu.Unlock()
	j.l.mu.Lock()
	defer j.l.mu.Unlock()
	t := j.l.tasks[j.order.EngineRunID]
	return !stopped && t.Killed == "" && exit.Code == 0 && exit.Signal == "" && t.FirstHeartbeatAt.IsZero() && !t.FirstRequestAt.IsZero()
}

// reacquire acquires the task again, and forgets the output that was refused. A SuperLink that has ended the run does not hand it out.
func (j *job) reacquire(ctx context.Context) (wire.Task, error) {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	task, err := j.l.acquire(ctx, j.order.EngineRunID)
	if err == nil {
		j.l.update(j.order.EngineRunID, func(t *Task) { t.OutputSubStatus, t.OutputDetails, t.OutputAt = "", "", time.Time{} })
	}
	return task, err
}

// again reports whether the process that just ended may be started once more: nobody stopped it and it never spoke.
func (j *job) again() bool {
	j.mu.Lock()
	stopped := j.stopped
	j.mu.Unlock()
	j.l.mu.Lock()
	defer j.l.mu.Unlock()
	t := j.l.tasks[j.order.EngineRunID]
	return !stopped && !t.Alive() && t.Killed == ""
}

func (j *job) attempt(ctx context.Context, app *app, task wire.Task, proxyAddr string) (keeper.Exit, error) {
	token := filepath.Join(j.dir, homeName, tokenName) // where the app can read it
	if err := WriteFileFor(token, []byte(task.Token), j.order.UID); err != nil {
		return keeper.Exit{}, fmt.Errorf("writing the token: %w", err)
	}
	defer os.Remove(token)
	child, err := j.start(ctx, app, proxyAddr, token)
	if err != nil {
		return keeper.Exit{}, err
	}
	if child == nil {
		return keeper.Exit{Code: -1, Signal: "SIGTERM"}, nil
	}
	j.l.update(task.RunID, func(t *Task) {
		t.State, t.PID, t.StartedAt, t.Attempts = Running, child.Identity().PID, j.l.Clock().UTC(), t.Attempts+1
	})
	j.watch(child)
	exit := child.Exit()
	j.mu.Lock()
	j.child = nil
	j.mu.Unlock()
	return exit, nil
}

// start starts the process, unless the job is stopped: then it returns nil. A Python that imports what the app needs can take long to
// answer. A job that is stopped meanwhile does not wait for it; the process ends as soon as it is there.
func (j *job) start(ctx context.Context, app *app, proxyAddr, token string) (*keeper.Child, error) {
	if ctx.Err() != nil {
		return nil, nil
	}
	type result struct {
		child *keeper.Child
		err   error
	}
	started := make(chan result, 1)
	go func() {
		child, err := j.startApp(app, []string{"--runtime-api-address", proxyAddr, "--insecure", "--token-file", token})
		started <- result{child, err}
	}()
	var r result
	select {
	case r = <-started:
	case <-ctx.Done():
		go func() {
			if r := <-started; r.err == nil {
				r.child.Stop(0)
			}
		}()
		return nil, nil
	}
	if r.err != nil {
		return nil, errors.Join(errors.New(python.ServerApp), r.err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stopped {
		r.child.Stop(0)
		return nil, nil
	}
	j.child = r.child
	return r.child, nil
}

// sign notes what was observed on the Runtime API.
func (j *job) sign(s Sign) {
	now := j.l.Clock().UTC()
	j.l.update(j.order.EngineRunID, func(t *Task) {
		switch s.Kind {
		case SignRequest:
			if t.FirstRequestAt.IsZero() {
				t.FirstRequestAt = now
			}
		case SignHeartbeat:
			if t.FirstHeartbeatAt.IsZero() {
				t.FirstHeartbeatAt = now
			}
		case SignShapes:
			t.Shapes = &s.Shapes
		case SignOutput:
			t.OutputSubStatus, t.OutputDetails, t.OutputAt = s.SubStatus, domain.Cut(s.Details, 4096), now
		}
	})
}
