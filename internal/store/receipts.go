package store

import (
	"context"
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

// RunsWithoutReceipt returns runs that have ended by a time and have no receipt yet, the earliest first.
func (tx *Tx) RunsWithoutReceipt(ctx context.Context, endedBy time.Time, n int) ([]domain.Run, error) {
	return list(ctx, tx, "run", scanRun, fmt.Sprintf(`SELECT %s FROM run WHERE state IN ('completed', 'failed', 'stopped')
		AND deleted_at = 0 AND ended_at <= $1 AND NOT EXISTS (SELECT 1 FROM receipt WHERE receipt.run_id = run.id)
		ORDER BY ended_at, id LIMIT %d`, runColumns, limit(n)), millis(endedBy))
}

// EachExchange hands on a run's exchanges by round, phase and node, with the objects that the SuperNodes sent, also in error replies and in
// replies that no ServerApp took. They may be millions.
func (tx *Tx) EachExchange(ctx context.Context, fedID int64, engineRunID uint64, take func(domain.Exchange) error) error {
	return each(ctx, tx, "exchange", func(s scanner) (domain.Exchange, error) {
		object := ""
		e, err := scanExchange(s, &object)
		e.ReplyObject = object
		return e, err
	}, take, `SELECT e.federation_id, e.engine_run_id, e.message_id, e.round, e.phase, e.node_id, e.asked_at, e.replied_at, e.failed, e.error,
			CASE WHEN e.reply_object = '' THEN COALESCE(t.reply_object, '') ELSE e.reply_object END
		FROM exchange e LEFT JOIN timing t ON t.federation_id = e.federation_id AND t.engine_run_id = e.engine_run_id
		AND t.message_id = e.message_id
		WHERE e.federation_id = $1 AND e.engine_run_id = $2 ORDER BY e.round, e.phase DESC, e.node_id, e.message_id`, fedID, int64(engineRunID))
}

// InsertReceipt keeps a run's receipt; the first one stays.
func (tx *Tx) InsertReceipt(ctx context.Context, runID int64, envelope []byte, at time.Time) error {
	return tx.exec(ctx, "receipt", "INSERT INTO receipt (run_id, envelope, created_at) VALUES ($1, $2, $3) ON CONFLICT (run_id) DO NOTHING",
		runID, envelope, millis(at))
}

// ReceiptSize returns how large a run's receipt is.
func (tx *Tx) ReceiptSize(ctx context.Context, runID int64) (int64, error) {
	return get(ctx, tx, "receipt", func(s scanner) (n int64, err error) { return n, s.Scan(&n) },
		"SELECT LENGTH(envelope) FROM receipt WHERE run_id = $1", runID)
}

// Receipt returns a run's receipt as it is given out.
func (tx *Tx) Receipt(ctx context.Context, runID int64) ([]byte, error) {
	return get(ctx, tx, "receipt", func(s scanner) (b []byte, err error) { return b, s.Scan(&b) },
		"SELECT envelope FROM receipt WHERE run_id = $1", runID)
}
