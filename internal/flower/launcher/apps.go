package launcher

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper"
	"blossomtune/internal/logfile"
	"blossomtune/internal/logmask"
)

const (
	appsIdle   = 5 * time.Minute // after which an unused pool is closed: a warm Python holds about 100 MB
	slowBuild  = time.Second     // a build that takes longer is reported in the run's log
	fabRetry   = time.Second
	appsHome   = "apps_home"
	appsLog    = "apps.log"
	appsLogMax = 1 << 20
)

// ExitDependencies is Flower's exit code of a ServerApp whose packages could not be installed. A task has it, too, where the
// launcher could not install them.
const ExitDependencies = 608

// apps are the environments and warm processes of a launcher's apps: a pool for the runs whose apps may install packages, and one for
// the others. A pool is opened when a run needs it.
type apps struct {
	o Options

	mu    sync.Mutex
	pools map[poolKey]*appPool
}

type poolKey struct {
	install bool // apps may install packages
	uid     int  // the user that apps, and their packages' installation, run as
}

type appPool struct {
	*apphost.Pool
	users int
	idle  *time.Timer
}

// open returns a pool in use; done ends the use.
func (a *apps) open(key poolKey) (p *apphost.Pool, done func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	pool := a.pools[key]
	if pool == nil {
		opened, err := apphost.New(apphost.Options{
			Base: a.o.Env, Dir: a.o.EnvDir, Install: key.install, BuildUID: key.uid, MaxTemplates: 1, Home: filepath.Join(a.o.FedDir, appsHome),
			Work: a.o.FedDir,
			Log:  filepath.Join(a.o.FedDir, appsLog), LogKeep: logfile.Keep{Max: appsLogMax, Old: 1}, Clock: a.o.Clock,
			Progress: func(line string) { a.o.Log.Info("app environment", "progress", line) },
		})
		if err != nil {
			return nil, nil, err
		}
		pool = &appPool{Pool: opened}
		pool.idle = time.AfterFunc(appsIdle, func() { a.closeIdle(key, pool) })
		a.pools[key] = pool
	}
	pool.users++
	pool.idle.Stop()
	return pool.Pool, sync.OnceFunc(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if pool.users--; pool.users == 0 {
			pool.idle.Reset(appsIdle)
		}
	}), nil
}

func (a *apps) closeIdle(key poolKey, pool *appPool) {
	a.mu.Lock()
	busy := pool.users > 0 || a.pools[key] != pool
	if !busy {
		delete(a.pools, key)
	}
	a.mu.Unlock()
	if !busy {
		pool.Close(0)
	}
}

// close ends the pools. No run uses one any more.
func (a *apps) close() {
	a.mu.Lock()
	pools := a.pools
	a.pools = nil
	a.mu.Unlock()
	for _, p := range pools {
		p.idle.Stop()
		p.Close(0)
	}
}

// app is a run's app, ready to be started.
type app struct {
	start   func(args []string, f keeper.Fork, env []string) (*keeper.Child, error)
	release func() // when the process has ended
}

// prepare makes the environment of the run's app, and a warm process of it.
func prepare(ctx context.Context, j *job) (*app, error) {
	fab, err := j.fab(ctx)
	if err != nil {
		return nil, err
	}
	pool, done, err := j.l.apps.open(poolKey{j.order.Settings.InstallDependencies, j.order.UID})
	if err != nil {
		return nil, err
	}
	ready, err := j.build(ctx, pool, fab)
	if err != nil {
		done()
		return nil, err
	}
	if got := ready.Packages(); len(got) > 0 {
		j.say("Installed: [" + strings.Join(got, ", ") + "]")
	}
	room := j.room()
	if err := room.Make(); err != nil {
		ready.Release()
		done()
		return nil, err
	}
	ready.Enter(room)
	go pool.Warm(ready, apphost.ServerApp, j.environment()...) // while the task is acquired
	start := func(args []string, f keeper.Fork, env []string) (*keeper.Child, error) {
		return pool.Start(ready, apphost.ServerApp, args, f, env)
	}
	return &app{start: start, release: func() { pool.Empty(room); room.Clear(); ready.Release(); done() }}, nil
}

// room is the sandbox of the run's ServerApp.
func (j *job) room() *apphost.Room {
	return &apphost.Room{Dir: j.dir, Port: j.port, Hub: !j.order.NoWeb, UID: j.order.UID, Disk: j.order.Disk}
}

// fab reads the run's FAB. A database that does not answer is asked again.
func (j *job) fab(ctx context.Context) ([]byte, error) {
	tick := time.NewTicker(fabRetry)
	defer tick.Stop()
	for {
		fab, err := j.l.FAB(ctx, j.order.EngineRunID)
		if err == nil || domain.CodeOf(err) == domain.NotFound || ctx.Err() != nil {
			return fab, err
		}
		j.l.Log.Warn("reading a run's FAB", "engine_run", j.order.EngineRunID, "err", err)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// build waits for the app's environment. The run's log tells of one that takes time, and of one that fails.
func (j *job) build(ctx context.Context, pool *apphost.Pool, fab []byte) (*apphost.Ready, error) {
	began := j.l.Clock()
	slow := time.AfterFunc(slowBuild, func() { j.say("Installing application dependencies") })
	ready, err := pool.Prepare(ctx, fab, settingsEnv(j.order.Settings)...)
	told := !slow.Stop()
	var failed *apphost.BuildError
	switch {
	case errors.As(err, &failed):
		j.say(append(uvOutput(failed), "Installing application dependencies failed: "+failed.Cause)...)
	case err == nil && told:
		j.say(fmt.Sprintf("Application dependencies installed in %s", domain.Span(j.l.Clock().Sub(began))))
	}
	return ready, err
}

// uvOutput is what uv printed at its end.
func uvOutput(failed *apphost.BuildError) []string {
	var uv *python.UVError
	if errors.As(failed, &uv) {
		return uv.Output
	}
	return failed.Output
}

// say writes lines into the run's log, while no process of the run does.
func (j *job) say(lines ...string) {
	j.saying.Lock()
	defer j.saying.Unlock()
	log, err := logfile.Open(filepath.Join(j.dir, LogName), logfile.Keep{Max: j.l.LogMax}, j.l.Clock)
	if err != nil {
		j.l.Log.Error("writing into a run's log", "engine_run", j.order.EngineRunID, "err", err)
		return
	}
	for _, line := range lines {
		_, _ = log.Write([]byte(logmask.Text(line) + "\n")) // its failures are in the log
	}
	_ = log.Close()
}

// startApp starts the ServerApp's process.
func (j *job) startApp(a *app, args []string) (*keeper.Child, error) {
	return a.start(args, keeper.Fork{
		Dir: filepath.Join(j.dir, WorkName), LogFile: filepath.Join(j.dir, LogName), Log: logfile.Keep{Max: j.l.LogMax},
		CPUs: chosenCPUs(j.order, keeper.AllowedCPUs()),
	}, j.environment())
}

// environment is what the run adds to the environment of its ServerApp.
func (j *job) environment() []string {
	return append(settingsEnv(j.order.Settings), "FLWR_HOME="+filepath.Join(j.dir, homeName))
}
