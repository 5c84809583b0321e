package apphost

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/python"
)

// base is the environment below all others.
type base struct {
	env      python.Env
	site     string // its site-packages
	identity string // changes when anything is installed into it
}

func openBase(env python.Env) (*base, error) {
	site, err := sitePackages(env.Dir)
	if err != nil {
		return nil, err
	}
	entries, err := filepath.Glob(filepath.Join(site, "*.dist-info"))
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n", env.Dir, env.PythonVersion, env.FlwrVersion)
	for _, e := range entries { // sorted
		fmt.Fprintln(h, filepath.Base(e))
	}
	return &base{env: env, site: site, identity: hex.EncodeToString(h.Sum(nil))}, nil
}

// sitePackages returns the folder of a venv's packages.
func sitePackages(venv string) (string, error) {
	for _, pattern := range []string{filepath.Join("lib", "python*", "site-packages"), filepath.Join("Lib", "site-packages")} {
		if found, _ := filepath.Glob(filepath.Join(venv, pattern)); len(found) == 1 { // the pattern is valid
			return found[0], nil
		}
	}
	return "", domain.Errorf(domain.Unavailable, "%s is not a Python environment: it has no site-packages folder.", venv).
		Fix("Remove it; it is installed again at the next start.")
}

// environment is one that is open in this process, or the base.
type environment struct {
	key  string
	env  python.Env
	lock *flock.Flock // held shared while it is open: nobody removes it; nil for the base
	uses int          // guarded by the pool's mutex
	last time.Time
}

func (e *environment) unlock() {
	if e.lock != nil {
		_ = e.lock.Close()
	}
}

func (p *Pool) envDir(key string) string   { return filepath.Join(p.o.Dir, key) }
func (p *Pool) lockPath(key string) string { return filepath.Join(p.o.Dir, key+".lock") }

// openLock takes the lock of a key. A lock file that was removed while we waited locks nothing, so then it starts again.
func (p *Pool) openLock(ctx context.Context, key string, shared bool) (*flock.Flock, error) {
	for {
		l := flock.New(p.lockPath(key))
		take := l.TryLockContext
		if shared {
			take = l.TryRLockContext
		}
		if _, err := take(ctx, 50*time.Millisecond); err != nil {
			return nil, errors.Join(err, l.Close())
		}
		if sameFile(l) {
			return l, nil
		}
		_ = l.Close()
	}
}

func sameFile(l *flock.Flock) bool {
	ours, err := l.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(l.Path())
	return err == nil && os.SameFile(ours, there)
}

// open returns the environment when it is whole; it then stays locked against removal.
func (p *Pool) open(ctx context.Context, key string) (*environment, error) {
	l, err := p.openLock(ctx, key, true)
	if err != nil {
		return nil, err
	}
	dir := p.envDir(key)
	if !p.intact(ctx, dir, key) {
		return nil, l.Close()
	}
	env := python.Env{Dir: dir, PythonVersion: p.base.env.PythonVersion, FlwrVersion: p.base.env.FlwrVersion, Base: p.base.env.Dir}
	return &environment{key: key, env: env, lock: l}, nil
}

// takeBase uses the base.
func (p *Pool) takeBase() *environment {
	return &environment{env: p.base.env}
}

// drop ends one use.
func (p *Pool) drop(e *environment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.uses--
	p.touch(e)
}

// touch notes that an environment was used now. Other processes see it in the time of the lock file.
func (p *Pool) touch(e *environment) {
	now := p.o.Clock()
	if e.lock != nil && now.Sub(e.last) > time.Minute {
		_ = os.Chtimes(e.lock.Path(), now, now)
	}
	e.last = now
}

// Packages lists what the app has beside the base, as name==version; nothing for an app that runs in the base.
func (r *Ready) Packages() []string {
	if !r.Built {
		return nil
	}
	site, err := sitePackages(r.Env.Dir)
	if err != nil {
		return nil
	}
	found, _ := filepath.Glob(filepath.Join(site, "*.dist-info")) // the pattern is sound
	var out []string
	for _, path := range found {
		name, version, ok := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".dist-info"), "-")
		if ok {
			out = append(out, strings.ReplaceAll(name, "_", "-")+"=="+version)
		}
	}
	return out
}
