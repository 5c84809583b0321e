// Package audit reads who did what, when, and to what. It is written elsewhere: each change with its entry, in one transaction.
package audit

import (
	"context"
	"sync"

	"blossomtune/internal/domain"
)

// Tx is what the audit needs of a transaction.
type Tx interface {
	AuditEntries(ctx context.Context, f domain.AuditFilter) ([]domain.AuditEntry, error)
	CountAudit(ctx context.Context, f domain.AuditFilter, most int) (int, error)
	AuditActions(ctx context.Context) ([]string, error)
	CountChained(ctx context.Context) (int, error)
	CheckAudit(ctx context.Context) (domain.AuditVerdict, error)
}

// Store reads.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
}

// Service reads the audit. Its methods are safe for concurrent use.
type Service struct {
	Store Store
	Clock domain.Clock

	checking sync.Mutex // one check at a time
	mu       sync.Mutex
	last     Verdict
}

// MaxCount is how far entries are counted.
const MaxCount = 10_000

// Page is a part of what a filter chooses.
type Page struct {
	Entries []domain.AuditEntry // newest first
	Total   int                 // of all that the filter chooses; [MaxCount] may stand for more
	Actions []string            // that can be chosen
	More    bool                // there are older ones
}

// Find returns a part of what a filter chooses, with a limit.
func (s *Service) Find(ctx context.Context, f domain.AuditFilter) (p Page, err error) {
	limit := f.Limit
	f.Limit++
	err = s.Store.View(ctx, func(tx Tx) error {
		if p.Entries, err = tx.AuditEntries(ctx, f); err != nil {
			return err
		}
		if p.Total, err = tx.CountAudit(ctx, f, MaxCount); err != nil {
			return err
		}
		p.Actions, err = tx.AuditActions(ctx)
		return err
	})
	if p.More = len(p.Entries) > limit; p.More {
		p.Entries = p.Entries[:limit]
	}
	return p, err
}

// List returns entries that a filter chooses, newest first.
func (s *Service) List(ctx context.Context, f domain.AuditFilter) (out []domain.AuditEntry, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.AuditEntries(ctx, f); return err })
	return out, err
}
