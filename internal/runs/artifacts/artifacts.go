// Package artifacts is the files that ServerApps write: it lists and opens them, and removes them when a federation no longer keeps
// them.
//
// It only touches a run's working directory. Logs are for package watch, and what a receipt says of files is for package receipts.
package artifacts

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"blossomtune/internal/domain"
	"blossomtune/internal/openfile"
	"blossomtune/internal/runs/report"
)

// Tx is what the package needs of a transaction.
type Tx interface {
	Federations(ctx context.Context) ([]domain.Federation, error)
	KeepRule(ctx context.Context, fedID int64) (domain.KeepRule, error)
	SetKeepRule(ctx context.Context, fedID int64, k domain.KeepRule) error
	RunsToSweep(ctx context.Context, fedID int64, k domain.KeepRule, now time.Time, n int) ([]domain.Run, error)
	InsertSwept(ctx context.Context, v domain.Swept) error
	SweptOf(ctx context.Context, runID int64) (domain.Swept, error)
	SweptSince(ctx context.Context, at time.Time) ([]domain.Run, error)
	InsertAudit(ctx context.Context, e domain.AuditEntry) error
}

// Store runs transactions.
type Store interface {
	InTx(ctx context.Context, fn func(Tx) error) error
	View(ctx context.Context, fn func(Tx) error) error
}

// Options are the parts that [Files] works with.
type Options struct {
	Store    Store
	Reporter report.Reporter
	Clock    domain.Clock
	Logger   *slog.Logger
	WorkDir  func(fedID int64, engineRunID uint64) string // of a run's ServerApp
}

// Files are the files of all runs. Its methods are safe for concurrent use.
type Files struct{ o Options }

// New returns the files of runs; [Files.Keep] must run for old ones to be removed.
func New(o Options) *Files { return &Files{o} }

// Artifact is what the ServerApp put into its working directory. Only regular files can be read.
type Artifact struct {
	Path    string // relative, with slashes; bytes that are not UTF-8 as %XX
	Size    int64
	Changed time.Time
	Problem string // why it cannot be read, in words; "" for a regular file
}

const (
	// MaxArtifacts is how many files of a run are listed.
	MaxArtifacts = 1000

	maxWalked = 20_000 // entries looked at for them, directories too
)

// Artifacts lists the files below the run's working directory, at most [MaxArtifacts]. What is no regular file, and directories that
// cannot be read, are listed with their problem.
func (s *Files) Artifacts(ctx context.Context, run domain.Run) ([]Artifact, error) {
	if run.EngineRunID == 0 {
		return nil, nil
	}
	root, err := os.OpenRoot(s.o.WorkDir(run.FederationID, run.EngineRunID))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return []Artifact{{Path: ".", Problem: ProblemOf(err)}}, nil
	}
	defer root.Close()
	var out []Artifact
	walked := 0
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if walked++; walked > maxWalked || len(out) >= MaxArtifacts {
			return fs.SkipAll
		}
		a := Artifact{Path: shownPath(path)}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil: // of a directory, which is walked no deeper
			a.Problem = ProblemOf(err)
		case d.IsDir():
			return nil
		default:
			info, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil // the ServerApp removed it meanwhile
			}
			if err != nil {
				a.Problem = ProblemOf(err)
			} else if a.Changed = info.ModTime(); info.Mode().IsRegular() {
				a.Size = info.Size()
			} else {
				a.Problem = openfile.Kind(info.Mode())
			}
		}
		out = append(out, a)
		return nil
	})
	return out, err
}

// OpenArtifact opens a regular file of the run's working directory, named as [Files.Artifacts] lists it; no path leads out of it.
func (s *Files) OpenArtifact(_ context.Context, run domain.Run, path string) (*os.File, error) {
	missing := domain.Errorf(domain.NotFound, "This run has no artifact %q.", path)
	if run.EngineRunID == 0 {
		return nil, missing
	}
	root, err := os.OpenRoot(s.o.WorkDir(run.FederationID, run.EngineRunID))
	if err != nil {
		return nil, missing.Because(err)
	}
	defer root.Close()
	f, err := openfile.In(root, path)
	if raw := rawPath(path); errors.Is(err, fs.ErrNotExist) && raw != path {
		f, err = openfile.In(root, raw)
	}
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, openfile.ErrNotRegular), errors.Is(err, fs.ErrPermission):
		return nil, domain.Errorf(domain.Conflict, "%s cannot be read: it is %s.", path,
			ProblemOf(err)).Fix("Only regular files that the server may read can be downloaded.").Because(err)
	}
	return nil, missing.Because(err)
}

// ProblemOf says why a file cannot be read, without the path.
func ProblemOf(err error) string {
	if errors.Is(err, openfile.ErrNotRegular) {
		words, _, _ := strings.Cut(err.Error(), ": "+openfile.ErrNotRegular.Error())
		if i := strings.LastIndex(words, " is "); i >= 0 {
			return words[i+len(" is "):]
		}
		return "not a regular file"
	}
	if errors.Is(err, fs.ErrPermission) {
		return "not readable for the server"
	}
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}

// shownPath is a path as text: bytes that are not UTF-8 become %XX.
func shownPath(path string) string {
	path = filepath.ToSlash(path)
	if utf8.ValidString(path) {
		return path
	}
	var b strings.Builder
	for len(path) > 0 {
		r, n := utf8.DecodeRuneInString(path)
		if r == utf8.RuneError && n == 1 {
			b.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(path[0]), 16)))
		} else {
			b.WriteString(path[:n])
		}
		path = path[n:]
	}
	return b.String()
}

var escapedByte = regexp.MustCompile(`%[89A-F][0-9A-F]`)

// rawPath undoes shownPath.
func rawPath(path string) string {
	return escapedByte.ReplaceAllStringFunc(path, func(s string) string {
		b, _ := strconv.ParseUint(s[1:], 16, 8) // the pattern is two hex digits
		return string([]byte{byte(b)})
	})
}
