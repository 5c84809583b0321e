package store

import (
	"context"
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

// KeepRule returns how long a federation keeps files; one without a rule keeps them for good.
func (tx *Tx) KeepRule(ctx context.Context, fedID int64) (domain.KeepRule, error) {
	k, err := get(ctx, tx, "rule", func(s scanner) (k domain.KeepRule, err error) { return k, s.Scan(&k.Days, &k.Runs) },
		"SELECT days, runs FROM artifact_rule WHERE federation_id = $1", fedID)
	if domain.CodeOf(err) == domain.NotFound {
		return domain.KeepRule{}, nil
	}
	return k, err
}

// SetKeepRule sets how long a federation keeps files.
func (tx *Tx) SetKeepRule(ctx context.Context, fedID int64, k domain.KeepRule) error {
	return tx.exec(ctx, "rule", "INSERT INTO artifact_rule (federation_id, days, runs) VALUES ($1, $2, $3) ON CONFLICT (federation_id) "+
		"DO UPDATE SET days = excluded.days, runs = excluded.runs", fedID, k.Days, k.Runs)
}

// RunsToSweep returns runs of a federation whose files its rule does not keep, and whose receipt tells of them; the earliest first.
func (tx *Tx) RunsToSweep(ctx context.Context, fedID int64, k domain.KeepRule, now time.Time, n int) ([]domain.Run, error) {
	if k == (domain.KeepRule{}) {
		return nil, nil
	}
	var w where
	w.add("federation_id = ?", fedID)
	w.conds = append(w.conds, "deleted_at = 0", "engine_run_id IS NOT NULL", "state IN ('completed', 'failed', 'stopped')",
		"NOT EXISTS (SELECT 1 FROM artifact_sweep a WHERE a.run_id = run.id)", "EXISTS (SELECT 1 FROM receipt c WHERE c.run_id = run.id)")
	if k.Days > 0 {
		w.add("ended_at < ?", millis(now.Add(-time.Duration(k.Days)*24*time.Hour)))
	}
	if k.Runs > 0 {
		w.conds = append(w.conds, fmt.Sprintf("id NOT IN (SELECT id FROM (SELECT id FROM run WHERE federation_id = $1 AND deleted_at = 0 "+
			"AND engine_run_id IS NOT NULL ORDER BY id DESC LIMIT %d) newest)", k.Runs))
	}
	return list(ctx, tx, "run", scanRun, fmt.Sprintf("SELECT %s FROM run%s ORDER BY ended_at, id LIMIT %d", runColumns, w.String(), limit(n)),
		w.args...)
}

func scanSwept(s scanner) (v domain.Swept, err error) {
	var at int64
	err = s.Scan(&v.RunID, &at, &v.Files, &v.Bytes)
	v.At = moment(at)
	return v, err
}

// InsertSwept notes that a run's files are gone.
func (tx *Tx) InsertSwept(ctx context.Context, v domain.Swept) error {
	return tx.exec(ctx, "sweep", "INSERT INTO artifact_sweep (run_id, at, files, bytes) VALUES ($1, $2, $3, $4) "+
		"ON CONFLICT (run_id) DO NOTHING", v.RunID, millis(v.At), v.Files, v.Bytes)
}

// SweptOf returns when a run's files went; the zero value where they did not.
func (tx *Tx) SweptOf(ctx context.Context, runID int64) (domain.Swept, error) {
	v, err := get(ctx, tx, "sweep", scanSwept, "SELECT run_id, at, files, bytes FROM artifact_sweep WHERE run_id = $1", runID)
	if domain.CodeOf(err) == domain.NotFound {
		return domain.Swept{}, nil
	}
	return v, err
}

// SweptSince returns the runs whose files went after a moment.
func (tx *Tx) SweptSince(ctx context.Context, at time.Time) ([]domain.Run, error) {
	return list(ctx, tx, "run", scanRun, "SELECT "+runColumns+
		" FROM run WHERE purging_at = 0 AND id IN (SELECT run_id FROM artifact_sweep WHERE at > $1)", millis(at))
}
