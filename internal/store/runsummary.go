package store

import (
	"context"
	"database/sql"
	"math"

	"blossomtune/internal/domain"
)

// summarise keeps a run's summary with a value for the whole federation that has come. A run whose participants' mean stood for
// it so far has that replaced.
func (tx *Tx) summarise(ctx context.Context, m domain.Metric) error {
	v := nullNaN(m.Value)
	err := tx.exec(ctx, "metric summary", `INSERT INTO metric_summary AS s (federation_id, engine_run_id, phase, name, mean, last_round,
		last_value, min_round, min_value, max_round, max_value)
		VALUES ($1, $2, $3, $4, 0, $5, $6, $5, $6, $5, $6)
		ON CONFLICT (federation_id, engine_run_id, phase, name) DO UPDATE SET mean = 0,
			last_round = CASE WHEN s.mean = 1 OR excluded.last_round >= s.last_round THEN excluded.last_round ELSE s.last_round END,
			last_value = CASE WHEN s.mean = 1 OR excluded.last_round >= s.last_round THEN excluded.last_value ELSE s.last_value END,
			min_round = CASE WHEN s.mean = 1 OR s.min_value IS NULL OR excluded.min_value < s.min_value THEN excluded.min_round ELSE s.min_round END,
			min_value = CASE WHEN s.mean = 1 OR s.min_value IS NULL OR excluded.min_value < s.min_value THEN excluded.min_value ELSE s.min_value END,
			max_round = CASE WHEN s.mean = 1 OR s.max_value IS NULL OR excluded.max_value > s.max_value THEN excluded.max_round ELSE s.max_round END,
			max_value = CASE WHEN s.mean = 1 OR s.max_value IS NULL OR excluded.max_value > s.max_value THEN excluded.max_value
			ELSE s.max_value END`,
		m.FederationID, int64(m.EngineRunID), string(m.Phase), m.Name, m.Round, v)
	if err != nil {
		return err
	}
	return tx.addColumn(ctx, m.FederationID, string(m.Phase), m.Name)
}

func nullNaN(v float64) sql.NullFloat64 { return sql.NullFloat64{Float64: v, Valid: !math.IsNaN(v)} }

func (tx *Tx) addColumn(ctx context.Context, fedID int64, phase, name string) error {
	return tx.exec(ctx, "run column", "INSERT INTO run_column (federation_id, phase, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", fedID,
		phase, name)
}

// SummariseMeans completes the bands and the summary of a run that has ended: a metric that the app tells of participants only is
// summed up by their mean in each round.
func (tx *Tx) SummariseMeans(ctx context.Context, fedID int64, engineRunID uint64) error {
	for more := true; more; {
		var err error
		if more, err = tx.RollUp(ctx, fedID, engineRunID, true); err != nil {
			return err
		}
	}
	args := []any{fedID, int64(engineRunID)}
	err := tx.exec(ctx, "metric summary", `WITH mean AS (
			SELECT b.phase, b.name, b.round, b.mean AS value FROM metric_band b
			WHERE b.federation_id = $1 AND b.engine_run_id = $2 AND b.nodes > 0
				AND NOT EXISTS (SELECT 1 FROM metric_summary s WHERE s.federation_id = $1 AND s.engine_run_id = $2 AND s.phase = b.phase
				AND s.name = b.name))
		INSERT INTO metric_summary (federation_id, engine_run_id, phase, name, mean, last_round, last_value, min_round, min_value, max_round,
		max_value)
		SELECT DISTINCT $1, $2, phase, name, 1, FIRST_VALUE(round) OVER l, FIRST_VALUE(value) OVER l, FIRST_VALUE(round) OVER a,
		FIRST_VALUE(value) OVER a, FIRST_VALUE(round) OVER z, FIRST_VALUE(value) OVER z
		FROM mean
		WINDOW l AS (PARTITION BY phase, name ORDER BY round DESC),
			a AS (PARTITION BY phase, name ORDER BY value ASC NULLS LAST, round), z AS (PARTITION BY phase, name
			ORDER BY value DESC NULLS LAST, round)`, args...)
	if err != nil {
		return err
	}
	return tx.exec(ctx, "run column", `INSERT INTO run_column (federation_id, phase, name)
		SELECT federation_id, phase, name FROM metric_summary WHERE federation_id = $1 AND engine_run_id = $2 ON CONFLICT DO NOTHING`, args...)
}

const summaryColumns = "engine_run_id, phase, name, mean, last_round, last_value, min_round, min_value, max_round, max_value"

func scanSummary(s scanner) (m domain.MetricSummary, err error) {
	var engine, mean int64
	var last, least, most sql.NullFloat64
	err = s.Scan(&engine, &m.Phase, &m.Name, &mean, &m.LastRound, &last, &m.MinRound, &least, &m.MaxRound, &most)
	m.EngineRunID, m.Mean = uint64(engine), mean == 1
	for from, to := range map[*sql.NullFloat64]*float64{&last: &m.Last, &least: &m.Min, &most: &m.Max} {
		if *to = math.NaN(); from.Valid {
			*to = from.Float64
		}
	}
	return m, err
}

// MetricSummaries returns the summary of every metric of a run.
func (tx *Tx) MetricSummaries(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.MetricSummary, error) {
	return list(ctx, tx, "metric summary", scanSummary, "SELECT "+summaryColumns+" FROM metric_summary WHERE federation_id = $1 "+
		"AND engine_run_id = $2 ORDER BY phase, name", fedID, int64(engineRunID))
}

// WholeMetrics returns a run's metrics of the whole federation, by id.
func (tx *Tx) WholeMetrics(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.Metric, error) {
	return list(ctx, tx, "metric", scanMetric, `SELECT id, federation_id, engine_run_id, round, phase, node_id, name, value, at FROM metric
		WHERE federation_id = $1 AND engine_run_id = $2 AND node_id = 0 ORDER BY id`, fedID, int64(engineRunID))
}

// MeanMetrics returns the participants' mean in each round of those metrics of a run that the app tells of participants only. It is
// as new as the last RollUp.
func (tx *Tx) MeanMetrics(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.Metric, error) {
	return list(ctx, tx, "metric", scanMetric, `SELECT b.upto, b.federation_id, b.engine_run_id, b.round, b.phase, 0, b.name, b.mean, m.at
		FROM metric_band b JOIN metric m ON m.id = b.upto
		WHERE b.federation_id = $1 AND b.engine_run_id = $2 AND b.nodes > 0
			AND NOT EXISTS (SELECT 1 FROM metric_summary s WHERE s.federation_id = $1 AND s.engine_run_id = $2 AND s.phase = b.phase
			AND s.name = b.name AND s.mean = 0)
		ORDER BY b.round, b.phase, b.name`, fedID, int64(engineRunID))
}

// RepliedNodes returns the SuperNodes that gave at least one good reply in a run.
func (tx *Tx) RepliedNodes(ctx context.Context, fedID int64, engineRunID uint64) ([]uint64, error) {
	// By the index from one SuperNode to the next, however many exchanges each had: an EXISTS would let PostgreSQL read all of them.
	return list(ctx, tx, "exchange", scanNode, `WITH RECURSIVE node(id) AS (
			SELECT MIN(node_id) FROM exchange WHERE federation_id = $1
			UNION ALL SELECT (SELECT MIN(e.node_id) FROM exchange e WHERE e.federation_id = $1 AND e.node_id > node.id) FROM node
			WHERE node.id IS NOT NULL)
		SELECT id FROM node WHERE (SELECT 1 FROM exchange e WHERE e.federation_id = $1 AND e.node_id = node.id AND e.engine_run_id = $2
		AND e.replied_at <> 0 AND e.failed = 0 LIMIT 1) IS NOT NULL ORDER BY id`, fedID, int64(engineRunID))
}
