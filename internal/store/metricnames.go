package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"blossomtune/internal/domain"
)

// maxRenamed is how many metrics a run may have for those of a record to be renamed: each time, all of them are looked through. Beyond,
// the record that came first keeps the bare name. A variable for tests.
var maxRenamed int64 = 200_000

// source is a metric as replies have it.
type source struct {
	phase domain.Phase
	key   string
}

// recordOf is a record that has a key, and whether the bare key is its metric's name.
type recordOf struct {
	source
	record string
	bare   bool
}

// nameMetrics gives the metrics of a reply the names under which they are stored: the key, or "record.key" where several records of the
// run's replies in that phase have it. It is decided once for a run, so that a name means the same record for every SuperNode and round.
func (tx *Tx) nameMetrics(ctx context.Context, o *domain.Observation) error {
	if err := tx.dropRepeated(ctx, o); err != nil || !slices.ContainsFunc(o.Metrics, func(m domain.Metric) bool { return m.NodeID != 0 }) {
		return err
	}
	all, err := list(ctx, tx, "metric record", func(s scanner) (r recordOf, err error) {
		var bare int64
		err = s.Scan(&r.phase, &r.key, &r.record, &bare)
		r.bare = bare == 1
		return r, err
	}, "SELECT phase, key, record, bare FROM metric_record WHERE federation_id = $1 AND engine_run_id = $2", o.FederationID,
		int64(o.EngineRunID))
	if err != nil {
		return err
	}
	known := map[source][]recordOf{}
	for _, r := range all {
		known[r.source] = append(known[r.source], r)
	}
	for i := range o.Metrics {
		m := &o.Metrics[i]
		at := source{m.Phase, domain.WholeName(m.Name)}
		if m.NodeID != 0 && !slices.ContainsFunc(known[at], func(r recordOf) bool { return r.record == m.Record }) {
			if known[at], err = tx.addRecord(ctx, *o, known[at], recordOf{source: at, record: m.Record}); err != nil {
				return err
			}
		}
	}
	for i := range o.Metrics {
		m := &o.Metrics[i]
		at := source{m.Phase, domain.WholeName(m.Name)}
		for _, r := range known[at] {
			if r.record == m.Record && !r.bare && m.NodeID != 0 {
				m.Name = qualified(r) + strings.TrimPrefix(m.Name, at.key)
			}
		}
	}
	return nil
}

// qualified is the name of a key with its record; a list's elements add their index.
func qualified(r recordOf) string { return domain.FitMetricName(r.record + "." + r.key) }

// addRecord notes a further record with a key. If the only one so far had the bare name, its metrics are renamed.
func (tx *Tx) addRecord(ctx context.Context, o domain.Observation, known []recordOf, r recordOf) ([]recordOf, error) {
	r.bare = r.record == "" || len(known) == 0
	for i, other := range known {
		if !other.bare || other.record == "" {
			continue
		}
		kept, err := tx.keptMetrics(ctx, o)
		if err != nil || kept > maxRenamed {
			if r.record == "" { // two cannot have it
				r.bare = false
			}
			if err != nil {
				return nil, err
			}
			continue
		}
		if err := tx.rename(ctx, o, other); err != nil {
			return nil, err
		}
		known[i].bare = false
	}
	err := tx.exec(ctx, "metric record",
		"INSERT INTO metric_record (federation_id, engine_run_id, phase, key, record, bare) VALUES ($1, $2, $3, $4, $5, $6)",
		o.FederationID, int64(o.EngineRunID), string(r.phase), r.key, r.record, bit(r.bare))
	return append(known, r), err
}

func (tx *Tx) keptMetrics(ctx context.Context, o domain.Observation) (int64, error) {
	return get(ctx, tx, "metric meter", func(s scanner) (n int64, err error) { return n, s.Scan(&n) },
		"SELECT COALESCE(MAX(kept), 0) FROM metric_meter WHERE federation_id = $1 AND engine_run_id = $2", o.FederationID, int64(o.EngineRunID))
}

// rename moves the SuperNodes' metrics of a record from the bare name to that with the record. They get new ids, so that whoever reads
// by the order of arrival gets them under their new name, and the bands are made again.
func (tx *Tx) rename(ctx context.Context, o domain.Observation, r recordOf) error {
	args := []any{o.FederationID, int64(o.EngineRunID), string(r.phase), r.key}
	const those = ` WHERE federation_id = $1 AND engine_run_id = $2 AND phase = $3
		AND (name = $4 OR substr(name, 1, length($4) + 1) = $4 || '[')`
	for _, q := range []struct {
		what, sql string
		args      []any
	}{
		{"metric record", "UPDATE metric_record SET bare = 0 WHERE federation_id = $1 AND engine_run_id = $2 AND phase = $3 AND key = $4 " +
			"AND record = $5", append(slices.Clone(args), r.record)},
		{"metric", `INSERT INTO metric (federation_id, engine_run_id, round, phase, node_id, name, value, at)
			SELECT federation_id, engine_run_id, round, phase, node_id, $5 || substr(name, length($4) + 1), value, at
			FROM metric` + those + ` AND node_id <> 0 ORDER BY id
			ON CONFLICT (federation_id, engine_run_id, round, phase, node_id, name) DO NOTHING`, append(slices.Clone(args), qualified(r))},
		{"metric", "DELETE FROM metric" + those + " AND node_id <> 0", args},
		{"band", `UPDATE metric_band SET nodes = 0, odd = 0, low = NULL, median = NULL, high = NULL, mean = NULL, weighted = NULL,
			upto = (SELECT MAX(id) FROM metric m WHERE m.federation_id = $1 AND m.engine_run_id = $2)` + those, args},
		{"band", "DELETE FROM metric_band" + those + " AND has_whole = 0", args},
		{"metric name", "DELETE FROM metric_name" + those + ` AND NOT EXISTS (SELECT 1 FROM metric_band b
			WHERE b.federation_id = metric_name.federation_id
			AND b.engine_run_id = metric_name.engine_run_id AND b.phase = metric_name.phase AND b.name = metric_name.name)`, args},
	} {
		if err := tx.exec(ctx, q.what, q.sql, q.args...); err != nil {
			return err
		}
	}
	return nil
}

// dropRepeated leaves out what a reply's ConfigRecords only repeat from the run config: the same key with the same value.
func (tx *Tx) dropRepeated(ctx context.Context, o *domain.Observation) error {
	if !slices.ContainsFunc(o.Metrics, func(m domain.Metric) bool { return m.Setting }) {
		return nil
	}
	type param struct {
		key string
		num sql.NullFloat64
	}
	params, err := list(ctx, tx, "run param", func(s scanner) (p param, err error) { return p, s.Scan(&p.key, &p.num) },
		"SELECT p.key, p.num FROM run_param p JOIN run r ON r.id = p.run_id WHERE r.federation_id = $1 AND r.engine_run_id = $2 "+
			"AND p.num IS NOT NULL", o.FederationID, int64(o.EngineRunID))
	if err != nil {
		return err
	}
	config := map[string]float64{}
	for _, p := range params {
		config[plainKey(p.key)] = p.num.Float64
	}
	o.Metrics = slices.DeleteFunc(slices.Clone(o.Metrics), func(m domain.Metric) bool {
		v, known := config[plainKey(m.Name)]
		return m.Setting && known && v == m.Value
	})
	return nil
}

// plainKey is a config key as apps pass it on: "train.batch-size" becomes "batch_size".
func plainKey(key string) string {
	return strings.ReplaceAll(strings.ToLower(key[strings.LastIndexByte(key, '.')+1:]), "-", "_")
}
