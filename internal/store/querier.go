package store

import (
	"context"
	"database/sql"

	"blossomtune/internal/domain"
)

// querier is a transaction whose text arguments both databases can hold. The surfaces refuse other text where they can; what comes from
// logs, mail servers and engines is replaced here, and never makes a statement fail.
type querier struct{ tx *sql.Tx }

func (q querier) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return q.tx.ExecContext(ctx, query, storable(args)...)
}

func (q querier) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return q.tx.QueryContext(ctx, query, storable(args)...)
}

func (q querier) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return q.tx.QueryRowContext(ctx, query, storable(args)...)
}

func storable(args []any) []any {
	for i, a := range args {
		if s, ok := a.(string); ok && !domain.Storable(s) {
			args[i] = domain.ToStorable(s)
		}
	}
	return args
}
