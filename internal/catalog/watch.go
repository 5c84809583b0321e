package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/safely"
)

// Problem is why a folder is no app.
type Problem struct {
	Folder  string // its last name
	Message string
}

// Problems tells which watched folders are no apps, and why.
func (s *Service) Problems() []Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.problems)
}

// Watch adds the apps in the folders, and whatever changes there later on, until ctx ends. A change is taken once nothing has
// changed from one look to the next, so that an app is not built while it is being written.
func (s *Service) Watch(ctx context.Context, every time.Duration, folders ...string) {
	w := watcher{s: s, taken: map[string]string{}, last: map[string]string{}, problems: map[string]string{}}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for first := true; ; first = false {
		w.look(ctx, first, folders)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

type watcher struct {
	s        *Service
	taken    map[string]string // stamp that was built, by folder
	last     map[string]string // stamp at the last look
	problems map[string]string
}

func (w *watcher) look(ctx context.Context, first bool, folders []string) {
	there := map[string]bool{}
	for _, root := range folders {
		dirs, err := appDirs(root)
		if err == nil && len(dirs) == 0 {
			err = invalid("There is no folder with a pyproject.toml in it.")
			if _, statErr := os.Stat(root); statErr != nil {
				err = invalid("The folder cannot be read.").Because(statErr)
			}
		}
		if err != nil {
			there[root] = true
			w.tell(ctx, root, err)
			continue
		}
		for _, dir := range dirs {
			there[dir] = true
			w.lookAt(ctx, first, dir)
		}
	}
	for dir := range w.problems {
		if !there[dir] {
			delete(w.problems, dir)
		}
	}
	w.publish()
}

func (w *watcher) lookAt(ctx context.Context, first bool, dir string) {
	now, err := stamp(dir)
	if err != nil {
		w.tell(ctx, dir, err)
		return
	}
	rests := first || now == w.last[dir]
	if w.last[dir] = now; !rests || now == w.taken[dir] {
		return
	}
	err = safely.Do(w.s.Log, "reading an app", func() error { return w.s.discover(ctx, dir) })
	if ctx.Err() != nil {
		return
	}
	if domain.CodeOf(err) != domain.Internal { // what is not the app's fault is tried again
		w.taken[dir] = now
	}
	if w.tell(ctx, dir, err); err == nil {
		delete(w.problems, dir)
	}
}

// tell keeps why a folder is no app; each reason is logged once.
func (w *watcher) tell(ctx context.Context, dir string, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	words := "It cannot be read or built now; the server's log says more."
	var e *domain.Error
	if errors.As(err, &e) {
		words = strings.TrimSpace(e.Message + " " + e.Remedy)
	}
	if w.problems[dir] != words {
		w.problems[dir] = words
		w.s.Log.Warn("a folder is no app", "folder", dir, "err", err)
	}
}

func (w *watcher) publish() {
	var list []Problem
	for _, dir := range slices.Sorted(maps.Keys(w.problems)) {
		list = append(list, Problem{filepath.Base(dir), w.problems[dir]})
	}
	w.s.mu.Lock()
	same := slices.Equal(w.s.problems, list)
	w.s.problems = list
	w.s.mu.Unlock()
	if !same && w.s.Changed != nil {
		w.s.Changed()
	}
}

// stamp changes when a file below a folder comes, goes or changes; it reads no file.
func stamp(dir string) (string, error) {
	h := sha256.New()
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != dir && hidden(d.Name()) {
			return fs.SkipDir
		}
		if n++; n > 2*maxFiles {
			return tooMuch()
		}
		info, err := d.Info()
		if err == nil && d.Type().IsRegular() {
			fmt.Fprintf(h, "\x00%s\x00%d\x00%d", path, info.Size(), info.ModTime().UnixNano())
		}
		return err
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

func hidden(folder string) bool { return strings.HasPrefix(folder, ".") || folder == "__pycache__" }

func tooMuch() *domain.Error {
	return invalid("The folder has more than %d files or %d MB.", maxFiles, maxUnzipped>>20).Fix("Keep data out of an app's folder.")
}
