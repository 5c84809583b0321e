package apphost_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/flower/apphost"
)

// clock is one that a test moves on.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now().Truncate(time.Second)} }

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) Add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not in 20 s: %s", what)
		case <-tick.C:
		}
	}
}

func TestTheLeastRecentlyUsedEnvironmentGoes(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	bounded := func(o *apphost.Options) { o.MaxEnvs, o.Clock = 2, c.Now }
	p := pool(t, dir, bounded)
	use := func(p *apphost.Pool, version string) *apphost.Ready {
		c.Add(2 * time.Minute)
		return prepare(t, p, needs(t, "six=="+version))
	}
	inUse := use(p, "1.13.0")
	p.Warm(inUse, apphost.ClientApp)
	other := pool(t, dir, bounded)
	elsewhere := use(other, "1.14.0")
	idle := use(p, "1.15.0")
	p.Warm(idle, apphost.ClientApp)
	idle.Release()
	last := use(p, "1.16.0")
	eventually(t, "the idle environment goes, with its template", func() bool { return !exists(idle.Env.Dir) })
	for _, r := range []*apphost.Ready{inUse, elsewhere, last} {
		if !exists(r.Env.Bin("python")) {
			t.Errorf("%s is gone while it is in use", r.Env.Dir)
		}
	}
	if exit, out := start(t, p, inUse, apphost.ClientApp, nil, "--help"); exit.Code != 0 {
		t.Errorf("%s: %s", exit, out)
	}
	for _, r := range []*apphost.Ready{inUse, elsewhere, last} {
		r.Release()
	}
	other.Close(time.Second)
	p.Close(time.Second)

	c.Add(31 * 24 * time.Hour)
	pool(t, dir, bounded)
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "pyvenv.cfg")); len(left) != 0 {
		t.Errorf("unused for a month and still there: %s", left)
	}
	if locks, _ := filepath.Glob(filepath.Join(dir, "*.lock")); len(locks) != 0 {
		t.Errorf("locks left: %s", locks)
	}
}
