package apphost

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// sweepEvery is how often a pool looks for environments that nobody has used for long, apart from after each build.
const sweepEvery = time.Hour

var keyName = regexp.MustCompile(`^[0-9a-f]{16}$`)

// sweep removes what interrupted builds left, and the environments beyond the bounds, least recently used first. One that is in use, here
// or in
// another process, is never removed.
func (p *Pool) sweep() {
	entries, err := os.ReadDir(p.o.Dir)
	if err != nil {
		return // there is nothing to remove then
	}
	now := p.o.Clock()
	type kept struct {
		key  string
		last time.Time
	}
	var envs []kept
	for _, e := range entries {
		key, rest, _ := strings.Cut(e.Name(), ".")
		switch {
		case !keyName.MatchString(key):
		case rest == "":
			envs = append(envs, kept{key, p.lastUse(key)})
		case rest == "tmp" || rest == "gone" || strings.HasPrefix(rest, "work-"):
			p.exclusively(key, func() { _ = os.RemoveAll(filepath.Join(p.o.Dir, e.Name())) })
		case rest == "lock" && now.Sub(p.lastUse(key)) > p.o.MaxAge:
			if _, err := os.Stat(p.envDir(key)); os.IsNotExist(err) {
				p.exclusively(key, func() { _ = os.Remove(p.lockPath(key)) })
			}
		}
	}
	slices.SortFunc(envs, func(a, b kept) int { return a.last.Compare(b.last) })
	over := len(envs) - p.o.MaxEnvs
	for _, e := range envs {
		if over <= 0 && now.Sub(e.last) <= p.o.MaxAge {
			continue
		}
		if p.remove(e.key) {
			over--
		}
	}
}

// lastUse returns when the environment was last used by any process.
func (p *Pool) lastUse(key string) time.Time {
	info, err := os.Stat(p.lockPath(key))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// remove removes an environment that is not in use, and reports whether it did.
func (p *Pool) remove(key string) (removed bool) {
	p.mu.Lock()
	e := p.envs[key]
	busy := func(t *template) bool { return t.env == e && t.forks > 0 }
	if e != nil && (e.uses > 0 || slices.ContainsFunc(p.templates, busy)) {
		p.mu.Unlock()
		return false
	}
	var idle []*template
	if e != nil {
		delete(p.envs, key)
		idle = p.cutTemplates(func(t *template) bool { return t.env == e })
	}
	p.mu.Unlock()
	for _, t := range idle {
		t.stop(0)
	}
	if e != nil {
		e.unlock()
	}
	p.exclusively(key, func() {
		gone := p.envDir(key) + ".gone" // half a removal must not look like an environment
		if os.RemoveAll(gone) == nil && os.Rename(p.envDir(key), gone) == nil {
			removed = true
			_ = os.RemoveAll(gone)
			_ = os.Remove(p.lockPath(key))
		}
	})
	return removed
}

// exclusively does something while nobody else uses the key, or nothing.
func (p *Pool) exclusively(key string, do func()) {
	l := flock.New(p.lockPath(key))
	defer func() { _ = l.Close() }()
	if ok, err := l.TryLock(); ok && err == nil && sameFile(l) {
		do()
	}
}
