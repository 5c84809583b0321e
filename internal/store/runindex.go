package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
)

// indexRun keeps what a new run is found by: its effective config, its tags, and the text that a search looks through.
func (tx *Tx) indexRun(ctx context.Context, r domain.Run) error {
	app, err := tx.AppVersionByHash(ctx, r.AppHash, false)
	if err != nil {
		return err
	}
	params := map[string]any{}
	for _, k := range app.Config {
		params[k.Key] = k.Default
	}
	for k, v := range r.Config {
		params[k] = v
	}
	for key, v := range params {
		num, text := paramOf(v)
		if err := tx.exec(ctx, "run param", "INSERT INTO run_param (run_id, key, num, text) VALUES ($1, $2, $3, $4)", r.ID, key, num,
			text); err != nil {
			return err
		}
		if err := tx.addColumn(ctx, r.FederationID, "", key); err != nil {
			return err
		}
	}
	return tx.describe(ctx, r)
}

// paramOf returns a config value as it is ordered by and as it is shown.
func paramOf(v any) (num sql.NullFloat64, text string) {
	switch v := v.(type) {
	case int64:
		return sql.NullFloat64{Float64: float64(v), Valid: true}, strconv.FormatInt(v, 10)
	case float64:
		return nullNaN(v), domain.FloatText(v)
	case bool:
		return sql.NullFloat64{Float64: float64(bit(v)), Valid: true}, strconv.FormatBool(v)
	}
	return num, fmt.Sprint(v)
}

// DescribeRun writes a run's note and tags.
func (tx *Tx) DescribeRun(ctx context.Context, r domain.Run) error {
	tags, err := asJSON(append([]string{}, r.Tags...))
	if err != nil {
		return err
	}
	if err := tx.one(ctx, "run", "UPDATE run SET note = $2, tags = $3 WHERE id = $1", r.ID, r.Note, tags); err != nil {
		return err
	}
	return tx.describe(ctx, r)
}

func (tx *Tx) describe(ctx context.Context, r domain.Run) error {
	if err := tx.exec(ctx, "run tag", "DELETE FROM run_tag WHERE run_id = $1", r.ID); err != nil {
		return err
	}
	for _, tag := range slices.Compact(slices.Sorted(slices.Values(r.Tags))) {
		if err := tx.exec(ctx, "run tag", "INSERT INTO run_tag (run_id, federation_id, tag) VALUES ($1, $2, $3)", r.ID, r.FederationID,
			tag); err != nil {
			return err
		}
	}
	text := strings.ToLower(strings.Join(append([]string{r.Name, r.AppID + " " + r.AppVersion, r.AppHash, r.Note}, r.Tags...), "\n"))
	return tx.exec(ctx, "run search",
		"INSERT INTO run_search (run_id, text) VALUES ($1, $2) ON CONFLICT (run_id) DO UPDATE SET text = excluded.text", r.ID, text)
}
