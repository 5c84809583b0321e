package server

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"blossomtune/apps"
	"blossomtune/internal/flower/python"
)

func newPython(o Options) *python.Shared {
	progress := func(line string) {
		if o.Progress != nil {
			o.Progress(line)
		}
		o.Log.Debug("python", "progress", line)
	}
	return python.NewShared(python.Options{Dir: filepath.Join(o.Config.Data, "python"), Python: o.Config.Python,
		Requirements: apps.Requirements, Progress: progress})
}

// AwaitPython returns when the Python environment is ready, or why it cannot be made.
func (s *Server) AwaitPython(ctx context.Context) error {
	_, err := s.python.Get(ctx)
	return err
}

// Prepared is closed when the Python environment is made and the bundled apps are found, or that has failed.
func (s *Server) Prepared() <-chan struct{} { return s.ready }

// watchApps is how often the configured folders are checked.
const watchApps = 3 * time.Second

// provision makes the Python environment and finds the apps, those of the configured folders as long as the server runs.
func (s *Server) provision(ctx context.Context) {
	defer s.prepared()
	if _, err := s.python.Get(ctx); err != nil {
		if ctx.Err() == nil {
			s.o.Log.Error("preparing Python", "err", err)
		}
		return
	}
	if err := s.discover(ctx); err != nil && ctx.Err() == nil {
		s.o.Log.Error("finding the bundled apps", "err", err)
	}
	s.prepared()
	if len(s.o.Config.Apps) > 0 {
		s.Catalog.Watch(ctx, watchApps, s.o.Config.Apps...)
	}
}

// discover adds the bundled apps. The newest is offered first: so the small one comes last.
func (s *Server) discover(ctx context.Context) error {
	tmp, err := os.MkdirTemp("", "blossomtune-apps-")
	if err != nil {
		return fmt.Errorf("making a temporary folder: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := os.CopyFS(tmp, bundled{apps.Bundled}); err != nil {
		return fmt.Errorf("unpacking the bundled apps: %w", err)
	}
	return s.Catalog.Discover(ctx, filepath.Join(tmp, "quickstart_huggingface"), filepath.Join(tmp, "quickstart_digits"))
}

// bundled is the embedded apps as os.CopyFS wants them.
type bundled struct{ fs.FS }
