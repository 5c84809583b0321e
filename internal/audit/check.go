package audit

import (
	"context"
	"time"

	"blossomtune/internal/domain"
)

// Verdict is what a check of the chain came to, and when.
type Verdict struct {
	domain.AuditVerdict
	At time.Time // zero: not checked since the server started
}

// SmallChain is up to how many entries the chain is checked by the way: that takes some tens of milliseconds.
const SmallChain = 20_000

// Check goes through the whole chain; at most one check goes on at a time. Its result is kept for [Service.Verdict].
func (s *Service) Check(ctx context.Context) (Verdict, error) {
	s.checking.Lock()
	defer s.checking.Unlock()
	v := Verdict{At: s.Clock().UTC()}
	err := s.Store.View(ctx, func(tx Tx) (err error) { v.AuditVerdict, err = tx.CheckAudit(ctx); return err })
	if err != nil {
		return Verdict{}, err
	}
	s.mu.Lock()
	s.last = v
	s.mu.Unlock()
	return v, nil
}

// Verdict returns what a check comes to: now for a small chain, else what the last one came to.
func (s *Service) Verdict(ctx context.Context) (Verdict, error) {
	n := 0
	if err := s.Store.View(ctx, func(tx Tx) (err error) { n, err = tx.CountChained(ctx); return err }); err != nil {
		return Verdict{}, err
	}
	if n <= SmallChain {
		return s.Check(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, nil
}
