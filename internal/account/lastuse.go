package account

import (
	"context"
	"fmt"
	"sync"
	"time"

	"blossomtune/internal/domain"
)

const (
	touchEvery = time.Minute // a last use is kept this exactly
	touchWait  = 5 * time.Second
	maxTouched = 10_000
)

// lastUses remembers which last uses are being written, so that each is tried once a minute however many requests come.
type lastUses struct {
	mu      sync.Mutex
	tried   map[string]time.Time // by kind and id
	waiting []lastUse
	writing bool // one goroutine writes: others would only wait for the same lock
}

type lastUse struct {
	key   string
	write func(context.Context, Tx) error
}

// due reports whether a last use must be written now, and takes note that it is.
func (u *lastUses) due(key string, last, now time.Time) bool {
	if now.Sub(last) < touchEvery {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if tried, ok := u.tried[key]; ok && now.Sub(tried) < touchEvery {
		return false
	}
	if len(u.tried) >= maxTouched || u.tried == nil {
		u.tried = map[string]time.Time{}
	}
	u.tried[key] = now
	return true
}

// touch writes a last use after the answer. Reading must not need a database that can be written: a disk may be full, and another
// program may hold the lock.
func (s *Service) touch(key string, last, now time.Time, write func(context.Context, Tx) error) {
	if !s.uses.due(key, last, now) {
		return
	}
	s.uses.mu.Lock()
	s.uses.waiting = append(s.uses.waiting, lastUse{key, write})
	begin := !s.uses.writing
	s.uses.writing = true
	s.uses.mu.Unlock()
	if begin {
		s.Later(s.writeUses)
	}
}

// writeUses writes the last uses that wait, until there are none.
func (s *Service) writeUses(ctx context.Context) {
	for {
		s.uses.mu.Lock()
		all := s.uses.waiting
		s.uses.waiting, s.uses.writing = nil, len(all) > 0
		s.uses.mu.Unlock()
		if len(all) == 0 {
			return
		}
		if err := s.writeSome(ctx, all); err != nil && ctx.Err() == nil {
			s.Log.Warn("keeping last uses; they are left out", "uses", len(all), "err", err)
		}
	}
}

func (s *Service) writeSome(ctx context.Context, all []lastUse) error {
	ctx, cancel := context.WithTimeout(ctx, touchWait)
	defer cancel()
	return s.Store.InTx(ctx, func(tx Tx) error {
		for _, u := range all {
			if err := u.write(ctx, tx); err != nil && domain.CodeOf(err) != domain.NotFound { // it was ended meanwhile
				return fmt.Errorf("%s: %w", u.key, err)
			}
		}
		return nil
	})
}
