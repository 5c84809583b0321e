package store

import (
	"context"
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

// RunsToDelete returns the ended runs that a deletion chooses by its rule, the earliest first. Names are not its concern.
func (tx *Tx) RunsToDelete(ctx context.Context, d domain.RunDeletion, now time.Time) ([]domain.Run, error) {
	var w where
	w.add("r.federation_id = ?", d.FederationID)
	w.conds = append(w.conds, "r.deleted_at = 0", "r.ended_at > 0")
	in(&w, "r.state", words(d.States))
	if d.Tag != "" {
		w.add("EXISTS (SELECT 1 FROM run_tag t WHERE t.run_id = r.id AND t.tag = ?)", d.Tag)
	}
	if d.Days > 0 {
		w.add("r.ended_at <= ?", millis(now.AddDate(0, 0, -d.Days)))
	}
	return list(ctx, tx, "run", scanRun, fmt.Sprintf("SELECT %s FROM run r%s ORDER BY r.id LIMIT %d", prefixed("r", runColumns), w.String(),
		domain.MaxRunsDeleted), w.args...)
}

// MarkRunDeleted writes whether a run is deleted, by whom and when. A run whose data is being removed is a [domain.NotFound] error.
func (tx *Tx) MarkRunDeleted(ctx context.Context, r domain.Run) error {
	return tx.one(ctx, "run", "UPDATE run SET deleted_at = $2, deleted_by = $3 WHERE id = $1 AND purging_at = 0", r.ID, millis(r.DeletedAt),
		r.DeletedBy)
}

// RunsToPurge returns runs with an id above after that were deleted before a moment and whose data is still there, by id.
func (tx *Tx) RunsToPurge(ctx context.Context, before time.Time, after int64, n int) ([]domain.Run, error) {
	return list(ctx, tx, "run", scanRun, fmt.Sprintf(`SELECT %s FROM run WHERE deleted_at > 0 AND purged_at = 0
		AND (deleted_at <= $1 OR purging_at > 0) AND id > $2
		ORDER BY id LIMIT %d`, runColumns, limit(n)), millis(before), after)
}

// BeginPurge makes a deleted run unrestorable and empties its row: what stays is what it was, when it ran and who deleted it.
func (tx *Tx) BeginPurge(ctx context.Context, id int64, at time.Time) error {
	return tx.one(ctx, "run", `UPDATE run SET purging_at = $2, config = '{}', settings = '{}', note = '', tags = '[]', cause = '{}',
		override_reason = '' WHERE id = $1 AND deleted_at > 0 AND purging_at = 0`, id, millis(at))
}

// EndPurge notes that nothing of a run is left but its row.
func (tx *Tx) EndPurge(ctx context.Context, id int64, at time.Time) error {
	return tx.one(ctx, "run", "UPDATE run SET purged_at = $2 WHERE id = $1 AND purging_at > 0", id, millis(at))
}

// purgeBatch is how many rows of a large table one transaction removes, so that others can write between two.
const purgeBatch = 20_000

// Tables with rows of a run, by how they name it. The large ones are emptied in steps.
var (
	largeOfRun  = map[string]string{"metric": "id", "exchange": "message_id", "timing": "message_id"}
	ofEngineRun = []string{"metric_band", "metric_name", "metric_meter", "metric_summary", "metric_record", "traffic", "app_exit"}
	ofRun       = []string{"run_participant", "run_param", "run_tag", "run_search", "share", "artifact_sweep", "receipt"}
)

// PurgeRun removes rows of a run whose purge has begun, and the notices about it. It reports whether more are left: then call it again, in
// another transaction.
func (tx *Tx) PurgeRun(ctx context.Context, r domain.Run) (more bool, err error) {
	if r.EngineRunID != 0 {
		for table, key := range largeOfRun {
			n, err := tx.removed(ctx, fmt.Sprintf(`DELETE FROM %[1]s WHERE federation_id = $1 AND engine_run_id = $2 AND %[2]s IN (
				SELECT %[2]s FROM %[1]s WHERE federation_id = $1 AND engine_run_id = $2 LIMIT %[3]d)`, table, key, purgeBatch),
				r.FederationID, int64(r.EngineRunID))
			if err != nil || n == purgeBatch {
				return err == nil, err
			}
		}
	}
	if err := tx.purgeNotices(ctx, r); err != nil {
		return false, err
	}
	if err := tx.purgeColumns(ctx, r); err != nil {
		return false, err
	}
	if r.EngineRunID != 0 {
		for _, table := range ofEngineRun {
			if err := tx.exec(ctx, table, "DELETE FROM "+table+" WHERE federation_id = $1 AND engine_run_id = $2", r.FederationID,
				int64(r.EngineRunID)); err != nil {
				return false, err
			}
		}
	}
	for _, table := range ofRun {
		if err := tx.exec(ctx, table, "DELETE FROM "+table+" WHERE run_id = $1", r.ID); err != nil {
			return false, err
		}
	}
	return false, nil
}

// purgeNotices removes the notices about a run, with what waits to be mailed and the deliveries.
func (tx *Tx) purgeNotices(ctx context.Context, r domain.Run) error {
	const about = "SELECT id FROM notice WHERE federation_id = $1 AND about = $2"
	for _, query := range []string{"DELETE FROM notice_item WHERE notice_id IN (" + about + ")",
		"DELETE FROM delivery WHERE notice_id IN (" + about + ")", "DELETE FROM notice WHERE federation_id = $1 AND about = $2"} {
		if err := tx.exec(ctx, "notice", query, r.FederationID, domain.AboutRun(r.ID)); err != nil {
			return err
		}
	}
	return nil
}

// purgeColumns removes the columns of the table of runs that no other run of the federation has a value for.
func (tx *Tx) purgeColumns(ctx context.Context, r domain.Run) error {
	err := tx.exec(ctx, "run column", `DELETE FROM run_column WHERE federation_id = $1 AND phase = ''
		AND name IN (SELECT key FROM run_param WHERE run_id = $2)
		AND NOT EXISTS (SELECT 1 FROM run_param p JOIN run r ON r.id = p.run_id
			WHERE r.federation_id = $1 AND p.run_id <> $2 AND p.key = run_column.name)`, r.FederationID, r.ID)
	if err != nil || r.EngineRunID == 0 {
		return err
	}
	return tx.exec(ctx, "run column", `DELETE FROM run_column WHERE federation_id = $1 AND phase <> ''
		AND EXISTS (SELECT 1 FROM metric_summary s WHERE s.federation_id = $1 AND s.engine_run_id = $2 AND s.phase = run_column.phase
			AND s.name = run_column.name)
		AND NOT EXISTS (SELECT 1 FROM metric_summary s WHERE s.federation_id = $1 AND s.engine_run_id <> $2 AND s.phase = run_column.phase
			AND s.name = run_column.name)`, r.FederationID, int64(r.EngineRunID))
}

// removed runs a DELETE and returns how many rows it removed.
func (tx *Tx) removed(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := tx.q.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("removing rows: %w", err)
	}
	return res.RowsAffected()
}
