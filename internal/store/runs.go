package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"blossomtune/internal/domain"
)

const runColumns = `id, federation_id, name, state, app_hash, app_id, app_version, total_partitions, config, settings, note, tags,
	engine_run_id, cause, rounds, round, created_by, stop_asked,
	created_at, starting_at, running_at, ended_at, place, not_before, override_reason, progress_at, asked, contributed, participants_at,
	sandbox, deleted_at, deleted_by, purging_at`

func scanRun(s scanner) (r domain.Run, err error) {
	var config, settings, tags, cause, sandbox string
	var engine sql.NullInt64
	var stop, created, starting, running, ended, notBefore, progress, participants, deleted, purging int64
	if err = s.Scan(&r.ID, &r.FederationID, &r.Name, &r.State, &r.AppHash, &r.AppID, &r.AppVersion, &r.TotalPartitions, &config, &settings,
		&r.Note, &tags, &engine, &cause,
		&r.Rounds, &r.Round, &r.CreatedBy, &stop, &created, &starting, &running, &ended, &r.Place, &notBefore, &r.Override, &progress, &r.Asked,
		&r.Contributed, &participants, &sandbox,
		&deleted, &r.DeletedBy, &purging); err != nil {
		return r, err
	}
	r.EngineRunID, r.StopAsked = uint64(engine.Int64), stop == 1
	r.CreatedAt, r.StartingAt, r.RunningAt, r.EndedAt = moment(created), moment(starting), moment(running), moment(ended)
	r.NotBefore, r.ProgressAt, r.ParticipantsAt = moment(notBefore), moment(progress), moment(participants)
	r.DeletedAt, r.PurgingAt = moment(deleted), moment(purging)
	if r.Config, err = scanConfig(config); err != nil {
		return r, err
	}
	for _, v := range []struct {
		text string
		into any
	}{{settings, &r.Settings}, {tags, &r.Tags}, {cause, &r.Cause}, {sandbox, &r.Sandbox}} {
		if err = json.Unmarshal([]byte(v.text), v.into); err != nil {
			return r, err
		}
	}
	return r, nil
}

// configValue keeps a value's kind beside it: JSON alone would turn 1.0 into 1.
type configValue struct {
	Kind  domain.ConfigKind `json:"kind"`
	Value any               `json:"value"`
}

func putConfig(in map[string]any) (string, error) {
	out := map[string]configValue{}
	for k, v := range in {
		kind := domain.KindString
		switch v.(type) {
		case int64:
			kind = domain.KindInt
		case float64:
			kind = domain.KindFloat
		case bool:
			kind = domain.KindBool
		}
		out[k] = configValue{kind, domain.JSONValue(v)}
	}
	return asJSON(out)
}

func scanConfig(text string) (map[string]any, error) {
	in := map[string]configValue{}
	if err := exactJSON(text, &in); err != nil {
		return nil, err
	}
	out := make(map[string]any, len(in))
	for k, v := range in {
		out[k] = exactNumber(v.Value, v.Kind)
	}
	return out, nil
}

func runValues(r domain.Run) ([]any, error) {
	config, err := putConfig(r.Config)
	settings, err2 := asJSON(r.Settings)
	tags, err3 := asJSON(append([]string{}, r.Tags...))
	cause, err4 := asJSON(r.Cause)
	sandbox, err5 := asJSON(r.Sandbox)
	return []any{string(r.State), config, settings, r.Note, tags, sql.NullInt64{Int64: int64(r.EngineRunID), Valid: r.EngineRunID != 0}, cause,
			r.Rounds, r.Round,
			bit(r.StopAsked), millis(r.CreatedAt), millis(r.StartingAt), millis(r.RunningAt), millis(r.EndedAt),
			r.Place, millis(r.NotBefore), r.Override, millis(r.ProgressAt), r.Asked, r.Contributed, millis(r.ParticipantsAt), sandbox},
		errors.Join(err, err2, err3, err4, err5)
}

// InsertRun adds a run and sets its id; one without a place gets the last in the queue. A taken name is a [domain.Conflict] at field
// "run_id".
func (tx *Tx) InsertRun(ctx context.Context, r *domain.Run) error {
	values, err := runValues(*r)
	if err != nil {
		return err
	}
	err = tx.insert(ctx, "run", &r.ID, `INSERT INTO run (federation_id, name, app_hash, app_id, app_version, total_partitions, created_by,
		state, config, settings, note, tags, engine_run_id, cause, rounds, round, stop_asked, created_at, starting_at, running_at, ended_at,
		place, not_before, override_reason, progress_at, asked, contributed, participants_at, sandbox)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,
		$27, $28, $29)`,
		append([]any{r.FederationID, r.Name, r.AppHash, r.AppID, r.AppVersion, r.TotalPartitions, r.CreatedBy}, values...)...)
	if unique(err, "run.name") || unique(err, "run_name") {
		return domain.Errorf(domain.Conflict, "The Run ID %q is taken.", r.Name).Fix("Choose another; names are never used twice.").At("run_id").
			Because(err)
	}
	if err == nil && r.Place == 0 {
		r.Place = r.ID
		err = tx.one(ctx, "run", "UPDATE run SET place = id WHERE id = $1", r.ID)
	}
	if err != nil {
		return err
	}
	return tx.indexRun(ctx, *r)
}

// UpdateRun writes what can change of a run.
func (tx *Tx) UpdateRun(ctx context.Context, r domain.Run) error {
	values, err := runValues(r)
	if err != nil {
		return err
	}
	return tx.one(ctx, "run", `UPDATE run SET state = $2, config = $3, settings = $4, note = $5, tags = $6, engine_run_id = $7, cause = $8,
		rounds = $9, round = $10, stop_asked = $11,
		created_at = $12, starting_at = $13, running_at = $14, ended_at = $15, place = $16, not_before = $17, override_reason = $18,
		progress_at = $19, asked = $20, contributed = $21, participants_at = $22, sandbox = $23 WHERE id = $1`, append([]any{r.ID}, values...)...)
}

// RunByID returns a run, also a deleted one.
func (tx *Tx) RunByID(ctx context.Context, id int64) (domain.Run, error) {
	return get(ctx, tx, "run", scanRun, "SELECT "+runColumns+" FROM run WHERE id = $1", id)
}

// RunByName returns a run by its Run ID. A deleted one is not found.
func (tx *Tx) RunByName(ctx context.Context, name string) (domain.Run, error) {
	return get(ctx, tx, "run", scanRun, "SELECT "+runColumns+" FROM run WHERE name = $1 AND deleted_at = 0", name)
}

// RunNamed returns the run that has or had a Run ID, also a deleted one: Run IDs are never used twice.
func (tx *Tx) RunNamed(ctx context.Context, name string) (domain.Run, error) {
	return get(ctx, tx, "run", scanRun, "SELECT "+runColumns+" FROM run WHERE name = $1", name)
}

// RunByEngineID returns the run that an engine run belongs to, also a deleted one.
func (tx *Tx) RunByEngineID(ctx context.Context, fedID int64, engineRunID uint64) (domain.Run, error) {
	return get(ctx, tx, "run", scanRun, "SELECT "+runColumns+" FROM run WHERE federation_id = $1 AND engine_run_id = $2", fedID,
		int64(engineRunID))
}

// Runs returns the runs that a filter chooses, newest first.
func (tx *Tx) Runs(ctx context.Context, f domain.RunFilter) ([]domain.Run, error) {
	var w where
	if f.FederationID != 0 {
		w.add("federation_id = ?", f.FederationID)
	}
	if f.BeforeID != 0 {
		w.add("id < ?", f.BeforeID)
	}
	if f.SeenBy != 0 {
		w.add(seenBy("run", "?"), f.SeenBy)
	}
	if f.Deleted {
		w.conds = append(w.conds, "deleted_at > 0 AND purging_at = 0")
	} else {
		w.conds = append(w.conds, "deleted_at = 0")
	}
	in(&w, "state", words(f.States))
	return list(ctx, tx, "run", scanRun, fmt.Sprintf("SELECT %s FROM run%s ORDER BY id DESC LIMIT %d", runColumns, w.String(), limit(f.Limit)),
		w.args...)
}

// QueuedRuns returns a federation's queue, the next first.
func (tx *Tx) QueuedRuns(ctx context.Context, fedID int64) ([]domain.Run, error) {
	return list(ctx, tx, "run", scanRun, "SELECT "+runColumns+" FROM run WHERE federation_id = $1 AND state = 'queued' ORDER BY place, id",
		fedID)
}

// ActiveRuns returns the runs of all federations that have not ended, oldest first.
func (tx *Tx) ActiveRuns(ctx context.Context) ([]domain.Run, error) {
	return list(ctx, tx, "run", scanRun, "SELECT "+runColumns+" FROM run WHERE state IN ('queued', 'starting', 'running') ORDER BY id")
}

// UnendedRuns returns the runs of one federation that have not ended, oldest first.
func (tx *Tx) UnendedRuns(ctx context.Context, fedID int64) ([]domain.Run, error) {
	return list(ctx, tx, "run", scanRun,
		"SELECT "+runColumns+" FROM run WHERE federation_id = $1 AND state IN ('queued', 'starting', 'running') ORDER BY id", fedID)
}
