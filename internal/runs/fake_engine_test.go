package runs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs/drive"
)

var errKilled = errors.New("killed here")

// fakeEngine is a SuperLink and launcher that lives on while the server is killed. It stands in for the real ones only where
// a test must stop the server between two calls; the tests in e2e/ use the real ones.
type fakeEngine struct {
	mu      sync.Mutex
	dir     string
	clock   domain.Clock
	runs    []domain.EngineRun
	tasks   map[uint64]*domain.Task
	started int // StartRun calls that took effect
	up      bool
	mute    bool // ServerApps give no sign of life
	keyed   bool // it knows engine runs by their keys, as the builtin SuperLink does

	sandboxes []domain.Sandbox // of the launched runs, in order

	before, after func(call string) error // may "kill" the server around any call
}

func newFakeEngine(dir string, clock domain.Clock) *fakeEngine {
	return &fakeEngine{dir: dir, clock: clock, tasks: map[uint64]*domain.Task{}, up: true}
}

func (f *fakeEngine) around(name string, call func() error) error {
	if f.before != nil {
		if err := f.before(name); err != nil {
			return err
		}
	}
	f.mu.Lock()
	err := call()
	f.mu.Unlock()
	if err == nil && f.after != nil {
		err = f.after(name)
	}
	return err
}

func (f *fakeEngine) StartRun(_ context.Context, run domain.Run, app domain.AppVersion) (id uint64, err error) {
	err = f.around("StartRun", func() error {
		key := ""
		if f.keyed {
			key = drive.EngineKey(run)
			for _, r := range f.runs {
				if r.Key == key {
					id = r.ID
					return nil
				}
			}
		}
		f.started++
		id = uint64(9_000_000_000_000_000_000 + f.started)
		f.runs = append(f.runs, domain.EngineRun{ID: id, Key: key, AppHash: app.Hash, Status: "pending", PendingAt: f.clock()})
		return nil
	})
	return id, err
}

func (f *fakeEngine) find(id uint64) *domain.EngineRun {
	for i := range f.runs {
		if f.runs[i].ID == id {
			return &f.runs[i]
		}
	}
	return nil
}

func (f *fakeEngine) StopRun(_ context.Context, _ int64, id uint64) error {
	return f.around("StopRun", func() error {
		if r := f.find(id); r != nil && !r.Finished() {
			r.Status, r.SubStatus = "finished", "stopped"
		}
		return nil
	})
}

func (f *fakeEngine) EngineRuns(context.Context, int64) (out []domain.EngineRun, err error) {
	err = f.around("EngineRuns", func() error { out = append(out, f.runs...); return nil })
	return out, err
}

func (f *fakeEngine) Launch(_ context.Context, run domain.Run) error {
	id := run.EngineRunID
	return f.around("Launch", func() error {
		if f.tasks[id] != nil {
			return nil
		}
		f.sandboxes = append(f.sandboxes, run.Sandbox)
		f.tasks[id] = &domain.Task{EngineRunID: id, Alive: !f.mute}
		f.find(id).Status = "running"
		return f.log(id, "INFO :      [ROUND 1/1]\nINFO :      Global evaluation\nINFO :      \t└──> MetricRecord: {'accuracy': 0.5}\n")
	})
}

func (f *fakeEngine) log(id uint64, text string) error {
	path := f.LogFile(0, id)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString(text)
	return err
}

func (f *fakeEngine) Kill(_ context.Context, _ int64, id uint64, why domain.KillReason) error {
	return f.around("Kill", func() error {
		if t := f.tasks[id]; t != nil && !t.Ended {
			t.Ended, t.ExitCode, t.Signal, t.Killed = true, -1, "SIGTERM", why
		}
		return nil
	})
}

func (f *fakeEngine) Tasks(context.Context, int64) (out []domain.Task, err error) {
	err = f.around("Tasks", func() error {
		for _, t := range f.tasks {
			out = append(out, *t)
		}
		return nil
	})
	return out, err
}

// exit ends every ServerApp that runs.
func (f *fakeEngine) exit(code int, output string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, t := range f.tasks {
		if t.Ended {
			continue
		}
		_ = f.log(id, output)
		t.Ended, t.ExitCode = true, code
		if code == 0 {
			r := f.find(id)
			r.Status, r.SubStatus = "finished", "completed"
		}
	}
}

// ends ends every ServerApp that runs, as change says; the SuperLink hears nothing of it.
func (f *fakeEngine) ends(change func(*domain.Task)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.tasks {
		if !t.Ended {
			t.Ended, t.ExitCode = true, -1
			change(t)
		}
	}
}

// fails lets a ServerApp tell the SuperLink that it failed; its process stands.
func (f *fakeEngine) fails(id uint64, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.find(id)
	r.Status, r.SubStatus, f.tasks[id].ToldAt = "finished", "failed", at
}

// describe lets a task tell how the arrays of its newest replies were made.
func (f *fakeEngine) describe(id uint64, shapes *domain.Shapes) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tasks[id].Shapes = shapes
}

func (f *fakeEngine) LogFile(_ int64, id uint64) string {
	return filepath.Join(f.dir, fmt.Sprint(id), "serverapp.log")
}
func (f *fakeEngine) WorkDir(_ int64, id uint64) string {
	return filepath.Join(f.dir, fmt.Sprint(id), "work")
}
func (f *fakeEngine) Sleep(context.Context, int64) error {
	return f.around("Sleep", func() error { f.up = false; return nil })
}

func (f *fakeEngine) Rouse(int64) { _ = f.around("Rouse", func() error { f.up = true; return nil }) }

func (f *fakeEngine) Status(int64) domain.SuperLink {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.up {
		return domain.SuperLink{State: domain.SuperLinkStopped, Since: time.Time{}}
	}
	return domain.SuperLink{State: domain.SuperLinkUp}
}
