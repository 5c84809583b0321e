package store

import (
	"context"
	"strings"

	"blossomtune/internal/domain"
)

// seenBy is the condition that a participant may see a run: it is queued, or began after they were enrolled, or they took part in it.
// run is the table's name in the query, person the mark of the person's id.
func seenBy(run, person string) string {
	return strings.NewReplacer("{run}", run, "{person}", person).Replace(`({run}.deleted_at = 0 AND ({run}.state = 'queued'
		OR EXISTS (SELECT 1 FROM request sq WHERE sq.person_id = {person} AND sq.federation_id = {run}.federation_id AND sq.state = 'approved'
			AND sq.decided_at <= CASE WHEN {run}.starting_at > 0 THEN {run}.starting_at ELSE {run}.created_at END)
		OR EXISTS (SELECT 1 FROM run_participant sp WHERE sp.run_id = {run}.id AND sp.person_id = {person}
		AND (sp.asked_at > 0 OR sp.joined_at <= {run}.starting_at))))`)
}

// SeesRun reports whether a participant may see a run of their federation.
func (tx *Tx) SeesRun(ctx context.Context, runID, personID int64) (bool, error) {
	return get(ctx, tx, "run", func(s scanner) (is bool, err error) { return is, s.Scan(&is) },
		"SELECT EXISTS (SELECT 1 FROM run r WHERE r.id = $1 AND "+seenBy("r", "$2")+")", runID, personID)
}

// choicesOf is [Tx.RunChoices] of the runs that a participant may see.
func (tx *Tx) choicesOf(ctx context.Context, fedID, personID int64) (columns []domain.RunColumn, tags []string, err error) {
	seen := " WHERE r.federation_id = $1 AND " + seenBy("r", "$2")
	columns, err = list(ctx, tx, "run column", scanRunColumn,
		`SELECT DISTINCT '' AS phase, v.key AS name FROM run_param v JOIN run r ON r.id = v.run_id`+seen+`
		UNION SELECT DISTINCT m.phase, m.name FROM metric_summary m JOIN run r ON r.federation_id = m.federation_id
		AND r.engine_run_id = m.engine_run_id`+seen+`
		ORDER BY 1, 2`, fedID, personID)
	if err != nil {
		return nil, nil, err
	}
	tags, err = list(ctx, tx, "run tag", scanText, "SELECT DISTINCT v.tag FROM run_tag v JOIN run r ON r.id = v.run_id"+seen+
		" ORDER BY v.tag LIMIT 200", fedID, personID)
	return columns, tags, err
}

func scanRunColumn(s scanner) (c domain.RunColumn, err error) { return c, s.Scan(&c.Phase, &c.Name) }

func scanText(s scanner) (v string, err error) { return v, s.Scan(&v) }
