package store

import (
	"context"
	"fmt"
	"math"
	"strings"

	"blossomtune/internal/domain"
)

// elements adds the names of a list's elements to a statement's arguments, and returns their places in it.
func elements(list string, args []any) (places string, all []any) {
	out := make([]string, domain.MaxListMetric)
	for i := range out {
		args = append(args, domain.ElementName(list, i))
		out[i] = fmt.Sprintf("$%d", len(args))
	}
	return strings.Join(out, ", "), args
}

// ListRound returns the newest round up to another one (0: of all) in which a list-valued metric has elements; 0 and false without one.
func (tx *Tx) ListRound(ctx context.Context, fedID int64, engineRunID uint64, list domain.MetricName, upto int) (round int, ok bool,
	err error) {
	if upto <= 0 {
		upto = math.MaxInt32
	}
	n, err := get(ctx, tx, "band", func(s scanner) (n int, err error) { return n, s.Scan(&n) },
		"SELECT COALESCE(MAX(round), -1) FROM metric_band WHERE federation_id = $1 AND engine_run_id = $2 AND phase = $3 AND name = $4 "+
			"AND round <= $5",
		fedID, int64(engineRunID), string(list.Phase), domain.ElementName(list.Name, 0), upto)
	return max(n, 0), n >= 0, err
}

// ListBands returns the bands of a list-valued metric's elements in a round. They are as new as the last RollUp.
func (tx *Tx) ListBands(ctx context.Context, fedID int64, engineRunID uint64, of domain.MetricName, round int) ([]domain.Band, error) {
	places, args := elements(of.Name, []any{fedID, int64(engineRunID), string(of.Phase), round})
	return list(ctx, tx, "band", scanBand, "SELECT "+bandColumns+
		" FROM metric_band WHERE federation_id = $1 AND engine_run_id = $2 AND phase = $3 AND round = $4 AND name IN ("+places+")", args...)
}

// ListOfNode returns what one SuperNode sent of a list-valued metric in a round.
func (tx *Tx) ListOfNode(ctx context.Context, fedID int64, engineRunID uint64, node uint64, of domain.MetricName,
	round int) ([]domain.Metric, error) {
	places, args := elements(of.Name, []any{fedID, int64(engineRunID), string(of.Phase), round, int64(node)})
	return list(ctx, tx, "metric", scanMetric, "SELECT "+metricColumns+" FROM metric WHERE federation_id = $1 AND engine_run_id = $2 "+
		"AND phase = $3 AND round = $4 AND node_id = $5 AND name IN ("+places+")", args...)
}

// RankedLists returns the SuperNodes whose list-valued metric has the lowest or the highest mean in a round.
func (tx *Tx) RankedLists(ctx context.Context, fedID int64, engineRunID uint64, round int, of domain.MetricName, highest bool,
	n int) ([]uint64, error) {
	order := "ASC"
	if highest {
		order = "DESC"
	}
	places, args := elements(of.Name, []any{fedID, int64(engineRunID), string(of.Phase), round, n})
	return list(ctx, tx, "metric", scanNode, `SELECT node_id FROM metric WHERE federation_id = $1 AND engine_run_id = $2 AND phase = $3
		AND round = $4 AND node_id <> 0
		AND value BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308
		AND name IN (`+places+`) GROUP BY node_id ORDER BY AVG(value) `+order+", node_id LIMIT $5", args...)
}
