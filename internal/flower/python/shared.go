package python

import (
	"context"
	"sync"
)

// Shared is a Python environment that is made once, when it is first needed. It is safe for concurrent use.
type Shared struct {
	o Options

	mu  sync.Mutex
	env *Env
}

// NewShared returns an environment that [Ensure] makes with these options.
func NewShared(o Options) *Shared { return &Shared{o: o} }

// Get returns the environment, making it if needed. After an error the next call tries again.
func (s *Shared) Get(ctx context.Context) (Env, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.env != nil {
		return *s.env, nil
	}
	env, err := Ensure(ctx, s.o)
	if err != nil {
		return env, err
	}
	s.env = &env
	return env, nil
}

// Made returns the environment where it is ready. It waits for nothing.
func (s *Shared) Made() (Env, bool) {
	if !s.mu.TryLock() {
		return Env{}, false
	}
	defer s.mu.Unlock()
	if s.env == nil {
		return Env{}, false
	}
	return *s.env, true
}

// Version returns the version of Python, "" until the environment is ready.
func (s *Shared) Version() string {
	env, _ := s.Made()
	return env.PythonVersion
}

// BuildFAB is [Env.BuildFAB] of the environment, which is made first if needed.
func (s *Shared) BuildFAB(ctx context.Context, dir string) ([]byte, error) {
	env, err := s.Get(ctx)
	if err != nil {
		return nil, err
	}
	return env.BuildFAB(ctx, dir)
}
