package store

import (
	"context"

	"blossomtune/internal/domain"
)

// Tally counts what an operator watches, over all federations.
func (tx *Tx) Tally(ctx context.Context) (t domain.Tally, err error) {
	for _, c := range []struct {
		into  *map[string]int
		query string
	}{
		{&t.Runs, "SELECT state, COUNT(*) FROM run WHERE deleted_at = 0 GROUP BY state"},
		{&t.Nodes, "SELECT status, COUNT(*) FROM node_key WHERE status <> 'revoked' GROUP BY status"},
		{&t.Requests, "SELECT state, COUNT(*) FROM request GROUP BY state"},
	} {
		if *c.into, err = tx.counted(ctx, c.query); err != nil {
			return t, err
		}
	}
	t.Mails, err = tx.CountMails(ctx)
	return t, err
}

func (tx *Tx) counted(ctx context.Context, query string) (map[string]int, error) {
	type row struct {
		key string
		n   int
	}
	rows, err := list(ctx, tx, "count", func(s scanner) (r row, err error) { return r, s.Scan(&r.key, &r.n) }, query)
	out := map[string]int{}
	for _, r := range rows {
		out[r.key] = r.n
	}
	return out, err
}
