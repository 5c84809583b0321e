package server

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"blossomtune/apps"
	"blossomtune/internal/flower/python"
)

// environment is the Python environment of the engines, made once at need.
type environment struct {
	app *Server

	mu  sync.Mutex
	env *python.Env
}

func (e *environment) get(ctx context.Context) (python.Env, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.env != nil {
		return *e.env, nil
	}
	env, err := python.Ensure(ctx, python.Options{Dir: filepath.Join(e.app.o.Config.Data, "python"), Python: e.app.o.Config.Python, Requirements: apps.Requirements, Progress: e.app.progress})
	if err != nil {
		return env, err
	}
	e.env = &env
	return env, nil
}

// AwaitPython returns when the Python environment is ready, or why it cannot be made.
func (a *Server) AwaitPython(ctx context.Context) error {
	_, err := a.python.get(ctx)
	return err
}

// Prepared is closed when the Python environment is made and the bundled apps are found, or that has failed.
func (a *Server) Prepared() <-chan struct{} { return a.ready }

func (e *environment) ready() bool {
	_, made := e.made()
	return made
}

// made returns the environment where it is ready; it waits for nothing.
func (e *environment) made() (python.Env, bool) {
	if !e.mu.TryLock() {
		return python.Env{}, false
	}
	defer e.mu.Unlock()
	if e.env == nil {
		return python.Env{}, false
	}
	return *e.env, true
}

func (e *environment) build(ctx context.Context, dir string) ([]byte, error) {
	env, err := e.get(ctx)
	if err != nil {
		return nil, err
	}
	return env.BuildFAB(ctx, dir)
}

func (a *Server) progress(line string) {
	if a.o.Progress != nil {
		a.o.Progress(line)
	}
	a.o.Log.Debug("python", "progress", line)
}

// discover adds the bundled apps. The newest is offered first: so the small one comes last.
func (a *Server) discover(ctx context.Context) error {
	tmp, err := os.MkdirTemp("", "blossomtune-apps-")
	if err != nil {
		return fmt.Errorf("making a temporary folder: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := os.CopyFS(tmp, bundled{apps.Bundled}); err != nil {
		return fmt.Errorf("unpacking the bundled apps: %w", err)
	}
	return a.Catalog.Discover(ctx, filepath.Join(tmp, "quickstart_huggingface"), filepath.Join(tmp, "quickstart_digits"))
}

// bundled is the embedded apps as os.CopyFS wants them.
type bundled struct{ fs.FS }
