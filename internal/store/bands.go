package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"

	"blossomtune/internal/domain"
)

const (
	rollStep  = 20_000 // metrics that one call of RollUp takes in
	rollSlack = 200    // ids looked at again in PostgreSQL: a transaction with smaller ids may have committed later
	rollAgain = 1_000  // ids looked at again when nobody writes any more
)

// RollUp brings a run's bands up to date with its metrics, a part at a time: it reports whether more are to come. With again, it
// also looks once more at the newest ones that it had taken in.
func (tx *Tx) RollUp(ctx context.Context, fedID int64, engineRunID uint64, again bool) (more bool, err error) {
	m, err := tx.MetricMeter(ctx, fedID, engineRunID)
	if err != nil || m.Newest == 0 || m.Newest == m.Rolled && !again {
		return false, err
	}
	to, slack := m.Newest, int64(0)
	if tx.postgres {
		slack = rollSlack
	}
	if again {
		slack = rollAgain
	}
	row := tx.q.QueryRowContext(ctx, "SELECT id FROM metric WHERE federation_id = $1 AND engine_run_id = $2 AND id > $3 ORDER BY id "+
		"LIMIT 1 OFFSET $4", fedID, int64(engineRunID), m.Rolled, rollStep)
	if err := row.Scan(&to); err != nil && err != sql.ErrNoRows { // Scan returns it as it is
		return false, fmt.Errorf("reading metrics: %w", err)
	}
	rounds, err := list(ctx, tx, "round", func(s scanner) (n int, err error) { return n, s.Scan(&n) },
		"SELECT DISTINCT round FROM metric WHERE federation_id = $1 AND engine_run_id = $2 AND id > $3 AND id <= $4", fedID, int64(engineRunID),
		m.Rolled-slack, to)
	if err != nil {
		return false, err
	}
	for _, n := range rounds {
		if err := tx.rollRound(ctx, fedID, engineRunID, n); err != nil {
			return false, err
		}
	}
	return to < m.Newest, tx.exec(ctx, "metric meter", `INSERT INTO metric_meter (federation_id, engine_run_id, kept, dropped, log_dropped,
		rolled) VALUES ($1, $2, 0, 0, 0, $3)
		ON CONFLICT (federation_id, engine_run_id) DO UPDATE SET rolled = excluded.rolled`, fedID, int64(engineRunID), to)
}

func (tx *Tx) rollRound(ctx context.Context, fedID int64, engineRunID uint64, round int) error {
	ms, err := list(ctx, tx, "metric", func(s scanner) (m domain.Metric, err error) {
		var node int64
		var value sql.NullFloat64
		err = s.Scan(&m.ID, &m.Phase, &node, &m.Name, &value)
		m.Round, m.NodeID, m.Value = round, uint64(node), value.Float64
		if !value.Valid {
			m.Value = math.NaN()
		}
		return m, err
	}, "SELECT id, phase, node_id, name, value FROM metric WHERE federation_id = $1 AND engine_run_id = $2 AND round = $3 "+
		"ORDER BY phase, name, node_id",
		fedID, int64(engineRunID), round)
	if err != nil {
		return err
	}
	for _, b := range bandsOf(ms) {
		hasWhole, whole := b.Whole != nil, sql.NullFloat64{}
		if hasWhole && !math.IsNaN(*b.Whole) {
			whole = sql.NullFloat64{Float64: *b.Whole, Valid: true}
		}
		err := tx.exec(ctx, "band", `INSERT INTO metric_band (federation_id, engine_run_id, round, phase, name, upto, nodes, odd, low, median,
			high, weighted, has_whole, whole, mean)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
			ON CONFLICT (federation_id, engine_run_id, phase, name, round) DO UPDATE SET upto = CASE
			WHEN excluded.upto > metric_band.upto THEN excluded.upto ELSE metric_band.upto END, nodes = excluded.nodes, odd = excluded.odd,
			low = excluded.low,
				median = excluded.median, high = excluded.high, weighted = excluded.weighted, has_whole = excluded.has_whole, whole = excluded.whole,
				mean = excluded.mean`,
			fedID, int64(engineRunID), b.Round, string(b.Phase), b.Name, b.Upto, b.Nodes, b.Odd, b.Low, b.Median, b.High, b.Weighted, bit(hasWhole),
			whole, b.Mean)
		if err == nil {
			err = tx.exec(ctx, "metric name", "INSERT INTO metric_name (federation_id, engine_run_id, phase, name) VALUES ($1, $2, $3, $4) "+
				"ON CONFLICT DO NOTHING", fedID, int64(engineRunID), string(b.Phase), b.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type phaseNode struct {
	phase domain.Phase
	node  uint64
}

// examplesOf are the numbers of examples that a SuperNode sent in a phase, by the record that counts them; "" for the bare name.
type examplesOf map[phaseNode]map[string]float64

func (e examplesOf) add(m domain.Metric) {
	record, ok := domain.ExamplesOf(m.Name)
	if !ok || m.NodeID == 0 {
		return
	}
	at := phaseNode{m.Phase, m.NodeID}
	if e[at] == nil {
		e[at] = map[string]float64{}
	}
	e[at][record] = m.Value
}

// weight returns the number of examples behind a metric: that of its own record, where several are counted.
func (e examplesOf) weight(m domain.Metric) (float64, bool) {
	of := e[phaseNode{m.Phase, m.NodeID}]
	for record := m.Name; len(of) > 0 && record != ""; {
		record = record[:max(strings.LastIndexByte(record, '.'), 0)]
		if w, ok := of[record]; ok {
			return w, true
		}
	}
	return 0, false
}

// bandsOf sums up a round's metrics, which come ordered by phase and name.
func bandsOf(ms []domain.Metric) (out []domain.Band) {
	examples := examplesOf{}
	for _, m := range ms {
		examples.add(m)
	}
	for len(ms) > 0 {
		n := 1
		for n < len(ms) && ms[n].Phase == ms[0].Phase && ms[n].Name == ms[0].Name {
			n++
		}
		out = append(out, bandOf(ms[:n], examples))
		ms = ms[n:]
	}
	return out
}

func bandOf(ms []domain.Metric, examples examplesOf) domain.Band {
	b := domain.Band{Round: ms[0].Round, Phase: ms[0].Phase, Name: ms[0].Name}
	var finite []float64
	all, sum, weight, told := 0.0, 0.0, 0.0, true
	for _, m := range ms {
		b.Upto = max(b.Upto, m.ID)
		if m.NodeID == 0 {
			b.Whole = &m.Value
			continue
		}
		b.Nodes++
		if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
			b.Odd++
			continue
		}
		finite, all = append(finite, m.Value), all+m.Value
		w, ok := examples.weight(m)
		told = told && ok && w >= 0 && !math.IsInf(w, 0)
		sum, weight = sum+w*m.Value, weight+w
	}
	if len(finite) == 0 {
		return b
	}
	slices.Sort(finite)
	b.Low, b.High = &finite[0], &finite[len(finite)-1]
	mid := finite[len(finite)/2]
	if len(finite)%2 == 0 {
		mid = finite[len(finite)/2-1]/2 + mid/2
	}
	b.Median = &mid
	if mean := all / float64(len(finite)); !math.IsNaN(mean) && !math.IsInf(mean, 0) {
		b.Mean = &mean
	}
	if mean := sum / weight; told && b.Odd == 0 && !domain.IsExamples(b.Name) && !math.IsNaN(mean) && !math.IsInf(mean, 0) {
		b.Weighted = &mean
	}
	return b
}

const bandColumns = "round, phase, name, upto, nodes, odd, low, median, high, weighted, has_whole, whole, mean"

func scanBand(s scanner) (b domain.Band, err error) {
	var has int64
	var whole sql.NullFloat64
	if err = s.Scan(&b.Round, &b.Phase, &b.Name, &b.Upto, &b.Nodes, &b.Odd, &b.Low, &b.Median, &b.High, &b.Weighted, &has, &whole,
		&b.Mean); err != nil || has == 0 {
		return b, err
	}
	v := math.NaN()
	if whole.Valid {
		v = whole.Float64
	}
	b.Whole = &v
	return b, nil
}

// Bands returns the bands of one metric of a run by round. They are as new as the last RollUp.
func (tx *Tx) Bands(ctx context.Context, fedID int64, engineRunID uint64, q domain.BandQuery) ([]domain.Band, error) {
	to := q.To
	if to == 0 {
		to = math.MaxInt32
	}
	if q.Size > 1 { // CROSS JOIN keeps SQLite from looking through all bins for each band
		return list(ctx, tx, "band", scanBand, `SELECT b.round, b.phase, b.name, g.upto, b.nodes, g.odd, g.low, b.median, g.high, b.weighted,
			b.has_whole, b.whole, b.mean FROM (
				SELECT MAX(round) AS round, MAX(upto) AS upto, SUM(odd) AS odd, MIN(low) AS low, MAX(high) AS high FROM metric_band
				WHERE federation_id = $1 AND engine_run_id = $2 AND phase = $3 AND name = $4 AND round >= $5 AND round <= $6
				GROUP BY round / CAST($8 AS BIGINT) HAVING MAX(upto) > $7
			) g CROSS JOIN metric_band b WHERE b.federation_id = $1 AND b.engine_run_id = $2 AND b.phase = $3 AND b.name = $4 AND b.round = g.round
			ORDER BY b.round`,
			fedID, int64(engineRunID), string(q.Phase), q.Name, q.From, to, q.After, q.Size)
	}
	return list(ctx, tx, "band", scanBand, `SELECT `+bandColumns+` FROM metric_band
		WHERE federation_id = $1 AND engine_run_id = $2 AND phase = $3 AND name = $4 AND round >= $5 AND round <= $6 AND upto > $7
		ORDER BY round`, fedID, int64(engineRunID), string(q.Phase), q.Name, q.From, to, q.After)
}

// MetricNames returns which metrics a run has, as far as they are rolled up.
func (tx *Tx) MetricNames(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.MetricName, error) {
	return list(ctx, tx, "metric name", func(s scanner) (n domain.MetricName, err error) { return n, s.Scan(&n.Phase, &n.Name) },
		"SELECT phase, name FROM metric_name WHERE federation_id = $1 AND engine_run_id = $2 ORDER BY phase, name", fedID, int64(engineRunID))
}

// BandRounds returns the first and the last round of a run that has bands; 0 and 0 without any.
func (tx *Tx) BandRounds(ctx context.Context, fedID int64, engineRunID uint64) (first, last int, err error) {
	begun := ""
	names, err := tx.MetricNames(ctx, fedID, engineRunID)
	for i, n := range names {
		if list, at, ok := domain.ListElement(n.Name); ok && at == 0 {
			begun = list
		} else if ok && list == begun {
			continue // where a list is, its first element is
		}
		var lo, hi int
		row := tx.q.QueryRowContext(ctx, "SELECT COALESCE(MIN(round), 0), COALESCE(MAX(round), 0) FROM metric_band WHERE federation_id = $1 "+
			"AND engine_run_id = $2 AND phase = $3 AND name = $4", fedID, int64(engineRunID), string(n.Phase), n.Name)
		if err := row.Scan(&lo, &hi); err != nil {
			return 0, 0, fmt.Errorf("reading rounds: %w", err)
		}
		if first, last = min(first, lo), max(last, hi); i == 0 {
			first = lo
		}
	}
	return first, last, err
}

// MetricMeter returns how many of a run's metrics are kept and how many were left out.
func (tx *Tx) MetricMeter(ctx context.Context, fedID int64, engineRunID uint64) (m domain.MetricMeter, err error) {
	var logDropped int64
	row := tx.q.QueryRowContext(ctx, `SELECT COALESCE(MAX(kept), 0), COALESCE(MAX(dropped), 0), COALESCE(MAX(log_dropped), 0),
		COALESCE(MAX(rolled), 0),
		(SELECT COALESCE(MAX(id), 0) FROM metric WHERE federation_id = $1 AND engine_run_id = $2) FROM metric_meter WHERE federation_id = $1
		AND engine_run_id = $2`, fedID, int64(engineRunID))
	if err = row.Scan(&m.Kept, &m.Dropped, &logDropped, &m.Rolled, &m.Newest); err != nil {
		return m, fmt.Errorf("reading the metric meter: %w", err)
	}
	m.Dropped += logDropped
	return m, nil
}

// NodeMetrics returns what one SuperNode sent of a metric, by round; with a size, only of the last round of each so many, and of the last.
func (tx *Tx) NodeMetrics(ctx context.Context, fedID int64, engineRunID uint64, node uint64, q domain.BandQuery) ([]domain.Metric, error) {
	to, size := q.To, max(q.Size, 1)
	if to == 0 {
		to = math.MaxInt32
	}
	return list(ctx, tx, "metric", scanMetric, "SELECT "+metricColumns+` FROM metric WHERE federation_id = $1 AND engine_run_id = $2
		AND node_id = $3 AND round >= $4 AND round <= $5 AND phase = $6 AND name = $7
		AND (round % CAST($8 AS BIGINT) = CAST($8 AS BIGINT) - 1 OR round = $5)
		ORDER BY round`, fedID, int64(engineRunID), int64(node), q.From, to, string(q.Phase), q.Name, size)
}

// RankedNodes returns the SuperNodes with the lowest or the highest finite values of a metric in a round.
func (tx *Tx) RankedNodes(ctx context.Context, fedID int64, engineRunID uint64, round int, phase domain.Phase, name string, highest bool,
	n int) ([]uint64, error) {
	order := "ASC"
	if highest {
		order = "DESC"
	}
	return list(ctx, tx, "metric", func(s scanner) (uint64, error) {
		var id int64
		err := s.Scan(&id)
		return uint64(id), err
	}, "SELECT node_id FROM metric WHERE federation_id = $1 AND engine_run_id = $2 AND round = $3 AND phase = $4 AND name = $5 "+
		"AND node_id <> 0 AND value IS NOT NULL AND value BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308 ORDER BY value "+order+
		", node_id LIMIT $6",
		fedID, int64(engineRunID), round, string(phase), name, n)
}
