package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"blossomtune/internal/domain"
)

// Record stores what a Runtime proxy saw, in one transaction. It is all that a keeper writes.
func (db *DB) Record(ctx context.Context, o domain.Observation) error {
	return db.InTx(ctx, func(tx *Tx) error {
		if err := tx.UpsertExchanges(ctx, o.Exchanges); err != nil {
			return err
		}
		_, err := tx.InsertMetrics(ctx, o.Metrics)
		return err
	})
}

// InsertMetrics stores metrics, each (round, phase, node, name) of a run once, and returns how many were new.
func (tx *Tx) InsertMetrics(ctx context.Context, ms []domain.Metric) (int, error) {
	added := 0
	for _, m := range ms {
		res, err := tx.q.ExecContext(ctx, `INSERT INTO metric (federation_id, engine_run_id, round, phase, node_id, name, value, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (federation_id, engine_run_id, round, phase, node_id, name) DO NOTHING`,
			m.FederationID, int64(m.EngineRunID), m.Round, string(m.Phase), int64(m.NodeID), m.Name, nullNaN(m.Value), millis(m.At))
		if err != nil {
			return added, fmt.Errorf("writing metric: %w", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return added, err
		}
		added += int(n)
		if n == 1 && m.NodeID == 0 {
			if err := tx.summarise(ctx, m); err != nil {
				return added, err
			}
		}
	}
	return added, nil
}

func scanMetric(s scanner) (m domain.Metric, err error) {
	var engine, node, at int64
	var value sql.NullFloat64
	err = s.Scan(&m.ID, &m.FederationID, &engine, &m.Round, &m.Phase, &node, &m.Name, &value, &at)
	m.EngineRunID, m.NodeID, m.Value, m.At = uint64(engine), uint64(node), value.Float64, moment(at)
	if !value.Valid {
		m.Value = math.NaN()
	}
	return m, err
}

// Metrics returns a run's metrics with an id above afterID, by id.
func (tx *Tx) Metrics(ctx context.Context, fedID int64, engineRunID uint64, afterID int64) ([]domain.Metric, error) {
	return list(ctx, tx, "metric", scanMetric, "SELECT id, federation_id, engine_run_id, round, phase, node_id, name, value, at FROM metric WHERE federation_id = $1 AND engine_run_id = $2 AND id > $3 ORDER BY id",
		fedID, int64(engineRunID), afterID)
}

// UpsertExchanges stores what was asked of SuperNodes, and completes it with the replies.
func (tx *Tx) UpsertExchanges(ctx context.Context, es []domain.Exchange) error {
	for _, e := range es {
		err := tx.exec(ctx, "exchange", `INSERT INTO exchange (federation_id, engine_run_id, message_id, round, phase, node_id, asked_at, replied_at, failed, error) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (federation_id, engine_run_id, message_id) DO UPDATE SET
				replied_at = CASE WHEN exchange.replied_at = 0 THEN excluded.replied_at ELSE exchange.replied_at END,
				failed = CASE WHEN exchange.replied_at = 0 THEN excluded.failed ELSE exchange.failed END,
				error = CASE WHEN exchange.replied_at = 0 THEN excluded.error ELSE exchange.error END`,
			e.FederationID, int64(e.EngineRunID), e.MessageID, e.Round, string(e.Phase), int64(e.NodeID), millis(e.AskedAt), millis(e.RepliedAt), bit(e.Failed), e.Error)
		if err != nil {
			return err
		}
	}
	return nil
}

func scanExchange(s scanner) (e domain.Exchange, err error) {
	var engine, node, asked, replied, failed int64
	err = s.Scan(&e.FederationID, &engine, &e.MessageID, &e.Round, &e.Phase, &node, &asked, &replied, &failed, &e.Error)
	e.EngineRunID, e.NodeID, e.AskedAt, e.RepliedAt, e.Failed = uint64(engine), uint64(node), moment(asked), moment(replied), failed == 1
	return e, err
}

// Exchanges returns a run's exchanges by round, phase and node.
func (tx *Tx) Exchanges(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.Exchange, error) {
	return list(ctx, tx, "exchange", scanExchange, `SELECT federation_id, engine_run_id, message_id, round, phase, node_id, asked_at, replied_at, failed, error
		FROM exchange WHERE federation_id = $1 AND engine_run_id = $2 ORDER BY round, phase DESC, node_id, message_id`, fedID, int64(engineRunID))
}

// Part returns what a SuperNode has taken part in: a round counts when a reply of its came and was no error.
func (tx *Tx) Part(ctx context.Context, fedID int64, nodeID uint64) (domain.Part, error) {
	return get(ctx, tx, "part", func(s scanner) (p domain.Part, err error) { return p, s.Scan(&p.Rounds, &p.Runs) },
		`SELECT COUNT(*), COUNT(DISTINCT engine_run_id) FROM (SELECT DISTINCT engine_run_id, round FROM exchange
		WHERE federation_id = $1 AND node_id = $2 AND replied_at > 0 AND failed = 0) AS taken`, fedID, int64(nodeID))
}
