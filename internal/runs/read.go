package runs

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
)

// Get returns a run by its id.
func (s *Service) Get(ctx context.Context, id int64) (run domain.Run, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { run, err = tx.RunByID(ctx, id); return err })
	return run, err
}

// ByName returns a run by its Run ID.
func (s *Service) ByName(ctx context.Context, name string) (run domain.Run, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { run, err = tx.RunByName(ctx, name); return err })
	return run, err
}

// List returns runs, newest first.
func (s *Service) List(ctx context.Context, f domain.RunFilter) (out []domain.Run, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.Runs(ctx, f); return err })
	return out, err
}

// Part returns what a SuperNode has taken part in; nothing for one that the SuperLink does not know yet.
func (s *Service) Part(ctx context.Context, fedID int64, nodeID uint64) (p domain.Part, err error) {
	if nodeID == 0 {
		return p, nil
	}
	err = s.Store.View(ctx, func(tx Tx) (err error) { p, err = tx.Part(ctx, fedID, nodeID); return err })
	return p, err
}

// LogFile returns the run's log, which may not be there yet.
func (s *Service) LogFile(run domain.Run) *logfile.File {
	if run.EngineRunID == 0 {
		return logfile.New("")
	}
	return s.logOf(run)
}

// MaxLogLines is the most lines one call of [Service.Log] returns.
const MaxLogLines = 5000

// Log returns up to limit lines of the ServerApp's log from line number from on (1 is the first; a negative one counts
// from the end, -1 being the last), and how many lines there are.
func (s *Service) Log(_ context.Context, run domain.Run, from, limit int) ([]logfile.Line, int, error) {
	if run.EngineRunID == 0 {
		return nil, 0, nil
	}
	limit = min(max(limit, 1), MaxLogLines)
	file := s.logOf(run)
	if from < 0 {
		total, err := file.Total()
		if err != nil {
			return nil, 0, err
		}
		from = max(total+1+from, 1)
	}
	return file.Lines(from, limit)
}

// Artifact is a file that the ServerApp wrote into its working directory.
type Artifact struct {
	Path    string // relative, with slashes
	Size    int64
	Changed time.Time
}

// MaxArtifacts is how many files of a run are listed.
const MaxArtifacts = 1000

// Artifacts lists the regular files below the run's working directory, at most 1000.
func (s *Service) Artifacts(_ context.Context, run domain.Run) ([]Artifact, error) {
	if run.EngineRunID == 0 {
		return nil, nil
	}
	root, err := os.OpenRoot(s.Engine.WorkDir(run.FederationID, run.EngineRunID))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var out []Artifact
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || len(out) >= MaxArtifacts {
			return err
		}
		info, err := d.Info()
		if err == nil {
			out = append(out, Artifact{Path: filepath.ToSlash(path), Size: info.Size(), Changed: info.ModTime()})
		}
		return err
	})
	return out, err
}

// OpenArtifact opens one file of the run's working directory; no path leads out of it.
func (s *Service) OpenArtifact(_ context.Context, run domain.Run, path string) (*os.File, error) {
	missing := domain.Errorf(domain.NotFound, "This run has no artifact %q.", path)
	if run.EngineRunID == 0 {
		return nil, missing
	}
	root, err := os.OpenRoot(s.Engine.WorkDir(run.FederationID, run.EngineRunID))
	if err != nil {
		return nil, missing.Because(err)
	}
	defer root.Close()
	f, err := root.Open(path)
	if err != nil {
		return nil, missing.Because(err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, missing
	}
	return f, nil
}
