package store

import (
	"context"
	"fmt"
)

// RoundsAsked returns how far a run came by what was asked of SuperNodes: the newest round, not counting an evaluation before the first
// training. With a plan (0: none is known), numbers beyond it are not the rounds' own, so that the different ones are counted.
func (tx *Tx) RoundsAsked(ctx context.Context, fedID int64, engineRunID uint64, planned int) (n int, err error) {
	const those = " FROM exchange WHERE federation_id = $1 AND engine_run_id = $2"
	var zero, trains bool
	row := tx.q.QueryRowContext(ctx, "SELECT COALESCE(MAX(round), 0), (SELECT COUNT(*) FROM (SELECT 1"+those+
		" AND round = 0 LIMIT 1) AS z) > 0"+those, fedID, int64(engineRunID))
	if err := row.Scan(&n, &zero); err != nil {
		return 0, fmt.Errorf("reading rounds: %w", err)
	}
	if zero {
		if trains, err = get(ctx, tx, "exchange", func(s scanner) (b bool, err error) { return b, s.Scan(&b) },
			"SELECT EXISTS (SELECT 1"+those+" AND phase = 'train')", fedID, int64(engineRunID)); err != nil {
			return 0, err
		}
		if !trains {
			n++ // it only evaluates, so its rounds count from 0
		}
	}
	if planned <= 0 || n <= planned {
		return n, nil
	}
	n, err = get(ctx, tx, "exchange", func(s scanner) (n int, err error) { return n, s.Scan(&n) }, "SELECT COUNT(DISTINCT round)"+those, fedID,
		int64(engineRunID))
	return n, err
}
