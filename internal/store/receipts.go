package store

import (
	"context"
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

// RunsWithoutReceipt returns runs that have ended and have no receipt yet, the earliest first.
func (tx *Tx) RunsWithoutReceipt(ctx context.Context, n int) ([]domain.Run, error) {
	return list(ctx, tx, "run", scanRun, fmt.Sprintf(`SELECT %s FROM run WHERE state IN ('completed', 'failed', 'stopped')
		AND NOT EXISTS (SELECT 1 FROM receipt WHERE receipt.run_id = run.id) ORDER BY ended_at, id LIMIT %d`, runColumns, limit(n)))
}

// EachExchange hands on a run's exchanges, with the objects that the SuperNodes sent, by round, phase and node. They may be millions.
func (tx *Tx) EachExchange(ctx context.Context, fedID int64, engineRunID uint64, take func(domain.Exchange) error) error {
	return each(ctx, tx, "exchange", func(s scanner) (domain.Exchange, error) {
		object := ""
		e, err := scanExchange(s, &object)
		e.ReplyObject = object
		return e, err
	}, take, `SELECT federation_id, engine_run_id, message_id, round, phase, node_id, asked_at, replied_at, failed, error, reply_object
		FROM exchange WHERE federation_id = $1 AND engine_run_id = $2 ORDER BY round, phase DESC, node_id, message_id`, fedID, int64(engineRunID))
}

// InsertReceipt keeps a run's receipt; the first one stays.
func (tx *Tx) InsertReceipt(ctx context.Context, runID int64, envelope []byte, at time.Time) error {
	return tx.exec(ctx, "receipt", "INSERT INTO receipt (run_id, envelope, created_at) VALUES ($1, $2, $3) ON CONFLICT (run_id) DO NOTHING", runID, envelope, millis(at))
}

// ReceiptSize returns how large a run's receipt is.
func (tx *Tx) ReceiptSize(ctx context.Context, runID int64) (int64, error) {
	return get(ctx, tx, "receipt", func(s scanner) (n int64, err error) { return n, s.Scan(&n) }, "SELECT LENGTH(envelope) FROM receipt WHERE run_id = $1", runID)
}

// Receipt returns a run's receipt as it is given out.
func (tx *Tx) Receipt(ctx context.Context, runID int64) ([]byte, error) {
	return get(ctx, tx, "receipt", func(s scanner) (b []byte, err error) { return b, s.Scan(&b) }, "SELECT envelope FROM receipt WHERE run_id = $1", runID)
}
