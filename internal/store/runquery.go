package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// runKey is what a run is ordered by: its group's value, its own value in the order, and its id. Numbers are ordered before texts.
type runKey struct {
	groupNum, num   float64
	group, text     string
	id, engineRunID int64
}

// What has no value comes last, what is a text or infinite beyond every number, in both directions.
const (
	asText  = "1.7e308"
	endless = "1.75e308"
	nothing = "1.79e308"
)

// runSelect builds the query of a [domain.RunQuery]: joins, conditions and the expressions of its key.
type runSelect struct {
	where
	joins                      []string
	groupNum, group, num, text string
}

// arg adds an argument and returns its mark.
func (q *runSelect) arg(v any) string {
	q.args = append(q.args, v)
	return fmt.Sprintf("$%d", len(q.args))
}

func newRunSelect(f domain.RunQuery, now time.Time) *runSelect {
	q := &runSelect{groupNum: "CAST(0 AS DOUBLE PRECISION)", group: "''", num: "CAST(0 AS DOUBLE PRECISION)", text: "''"}
	q.add("r.federation_id = ?", f.FederationID)
	q.conds = append(q.conds, "r.deleted_at = 0")
	in(&q.where, "r.state", words(f.States))
	if f.Search != "" {
		q.joins = append(q.joins, "JOIN run_search x ON x.run_id = r.id")
		q.add(`x.text LIKE ? ESCAPE '\'`, like(f.Search))
	}
	if f.Since != 0 {
		q.add("r.id > ?", f.Since)
	}
	if f.SeenBy != 0 {
		q.add(seenBy("r", "?"), f.SeenBy)
	}
	if f.Tag != "" {
		q.add("EXISTS (SELECT 1 FROM run_tag w WHERE w.run_id = r.id AND w.tag = ?)", f.Tag)
	}
	if f.Group == domain.GroupByTag {
		q.joins = append(q.joins, "LEFT JOIN run_tag g ON g.run_id = r.id")
		q.groupNum, q.group = "CASE WHEN g.tag IS NULL THEN "+nothing+" ELSE "+asText+" END", "COALESCE(g.tag, '')"
	} else if c, ok := domain.ParseRunColumn(f.Group); ok && !c.Metric() {
		q.joins = append(q.joins, "LEFT JOIN run_param g ON g.run_id = r.id AND g.key = "+q.arg(c.Name))
		q.groupNum, q.group = numOf("g", ""), "COALESCE(g.text, '')"
	}
	q.order(f, now)
	return q
}

// numOf is the number that a run_param joined as alias is ordered by.
func numOf(alias, sign string) string {
	return fmt.Sprintf("CASE WHEN %s.run_id IS NULL THEN %s%s ELSE COALESCE(%s.num, %s%s) END", alias, sign, nothing, alias, sign, asText)
}

func (q *runSelect) order(f domain.RunQuery, now time.Time) {
	sign := "-"
	if f.Ascending {
		sign = ""
	}
	switch f.Order {
	case domain.OrderBegan, "":
	case domain.OrderName:
		q.text = "LOWER(r.name)"
	case domain.OrderRounds:
		q.num = "CAST(r.round AS DOUBLE PRECISION)"
	case domain.OrderTook:
		q.num = fmt.Sprintf("CAST(CASE WHEN r.starting_at = 0 THEN %s%s WHEN r.ended_at = 0 THEN CAST(%s AS BIGINT) - r.starting_at ELSE "+
			"r.ended_at - r.starting_at END AS DOUBLE PRECISION)", sign, nothing, q.arg(millis(now)))
	default:
		c, ok := domain.ParseRunColumn(string(f.Order))
		switch {
		case !ok:
		case c.Metric():
			q.joins = append(q.joins, q.summary("s", c))
			v := "s." + string(c.Of) + "_value"
			q.num = fmt.Sprintf("CASE WHEN %[1]s IS NULL THEN %[2]s%[3]s WHEN %[1]s > %[4]s THEN %[5]s WHEN %[1]s < -%[4]s THEN "+
				"-%[5]s ELSE %[1]s END", v, sign, nothing, asText, endless)
		default:
			q.joins = append(q.joins, "LEFT JOIN run_param s ON s.run_id = r.id AND s.key = "+q.arg(c.Name))
			q.num, q.text = numOf("s", sign), "COALESCE(s.text, '')"
		}
	}
}

func (q *runSelect) summary(alias string, c domain.RunColumn) string {
	return fmt.Sprintf("LEFT JOIN metric_summary %[1]s ON %[1]s.federation_id = r.federation_id AND %[1]s.engine_run_id = r.engine_run_id "+
		"AND %[1]s.phase = %[2]s AND %[1]s.name = %[3]s", alias, q.arg(string(c.Phase)), q.arg(c.Name))
}

func (q *runSelect) from() string { return " FROM run r " + strings.Join(q.joins, " ") + q.String() }

// FindRuns returns the part of a federation's runs that a query chooses. A cursor that is none is the first page's.
func (tx *Tx) FindRuns(ctx context.Context, f domain.RunQuery, now time.Time) (domain.RunPage, error) {
	page := domain.RunPage{Counts: map[domain.RunState]int{}}
	if err := tx.countRuns(ctx, f, now, &page); err != nil {
		return page, err
	}
	var err error
	if page.Newest, err = get(ctx, tx, "run", func(s scanner) (id int64, err error) { return id, s.Scan(&id) },
		"SELECT COALESCE(MAX(id), 0) FROM run WHERE federation_id = $1", f.FederationID); err != nil {
		return page, err
	}
	keys, err := tx.runKeys(ctx, f, now)
	if err != nil {
		return page, err
	}
	if n := limit(f.Limit); len(keys) > n {
		keys = keys[:n]
		page.Next = keys[n-1].cursor()
	}
	if page.Rows, err = tx.runRows(ctx, f, keys); err != nil || f.Group == "" {
		return page, err
	}
	page.Groups, err = tx.runGroups(ctx, f, now, page.Rows)
	return page, err
}

// SameRuns returns a page with its rows in the same places and everything in them as it is now; its counts too.
func (tx *Tx) SameRuns(ctx context.Context, f domain.RunQuery, page domain.RunPage, now time.Time) (domain.RunPage, error) {
	page.Counts, page.Total = map[domain.RunState]int{}, 0
	if err := tx.countRuns(ctx, f, now, &page); err != nil {
		return page, err
	}
	keys := make([]runKey, len(page.Rows))
	for i, r := range page.Rows {
		keys[i] = runKey{id: r.Run.ID, engineRunID: int64(r.Run.EngineRunID), group: r.Group}
	}
	var err error
	if page.Rows, err = tx.runRows(ctx, f, keys); err != nil || f.Group == "" {
		return page, err
	}
	page.Groups, err = tx.runGroups(ctx, f, now, page.Rows)
	return page, err
}

func (tx *Tx) countRuns(ctx context.Context, f domain.RunQuery, now time.Time, page *domain.RunPage) error {
	chosen := f.States
	f.States, f.Group, f.Order = nil, "", ""
	q := newRunSelect(f, now)
	_, err := list(ctx, tx, "run", func(s scanner) (n int, err error) {
		var state domain.RunState
		if err = s.Scan(&state, &n); err == nil {
			page.Counts[state] = n
			if len(chosen) == 0 || slices.Contains(chosen, state) {
				page.Total += n
			}
		}
		return n, err
	}, "SELECT r.state, COUNT(*)"+q.from()+" GROUP BY r.state", q.args...)
	return err
}

// runKeys returns the keys of a page of runs, and one more where there is another page.
func (tx *Tx) runKeys(ctx context.Context, f domain.RunQuery, now time.Time) ([]runKey, error) {
	q := newRunSelect(f, now)
	inner := fmt.Sprintf("SELECT r.id AS id, COALESCE(r.engine_run_id, 0) AS engine, %s AS gn, %s AS gt, %s AS n, %s AS t", q.groupNum,
		q.group, q.num, q.text) + q.from()
	dir, beyond := "DESC", "<"
	if f.Ascending {
		dir, beyond = "ASC", ">"
	}
	after := ""
	if k, ok := parseRunKey(f.After); ok {
		gn, gt := q.arg(k.groupNum), q.arg(k.group)
		after = fmt.Sprintf(" WHERE (gn, gt) > (%s, %s) OR (gn, gt) = (%s, %s) AND (n, t, id) %s (%s, %s, %s)", gn, gt, gn, gt, beyond,
			q.arg(k.num), q.arg(k.text), q.arg(k.id))
	}
	return list(ctx, tx, "run", func(s scanner) (k runKey, err error) {
		return k, s.Scan(&k.id, &k.engineRunID, &k.groupNum, &k.group, &k.num, &k.text)
	}, fmt.Sprintf("SELECT id, engine, gn, gt, n, t FROM (%s) q%s ORDER BY gn, gt, n %s, t %s, id %s LIMIT %d", inner, after, dir, dir, dir,
		limit(f.Limit)+1), q.args...)
}

// runRows reads the runs of keys, with their values in the columns, in the keys' order.
func (tx *Tx) runRows(ctx context.Context, f domain.RunQuery, keys []runKey) ([]domain.RunRow, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var w where
	in(&w, "id", idsOf(keys, func(k runKey) int64 { return k.id }))
	runs, err := list(ctx, tx, "run", scanRun, "SELECT "+runColumns+" FROM run"+w.String()+" AND deleted_at = 0", w.args...)
	if err != nil {
		return nil, err
	}
	byID := map[int64]domain.Run{}
	for _, r := range runs {
		byID[r.ID] = r
	}
	keys = slices.DeleteFunc(slices.Clone(keys), func(k runKey) bool { return byID[k.id].ID == 0 }) // deleted meanwhile
	cells, err := tx.runCells(ctx, f, keys)
	if err != nil {
		return nil, err
	}
	rows := make([]domain.RunRow, len(keys))
	for i, k := range keys {
		rows[i] = domain.RunRow{Run: byID[k.id], Group: k.group, Cells: make([]domain.RunCell, len(f.Columns))}
		for j, c := range f.Columns {
			rows[i].Cells[j] = cells(byID[k.id], c)
		}
	}
	return rows, nil
}

// runCells reads the values of runs in all columns of a query at once.
func (tx *Tx) runCells(ctx context.Context, f domain.RunQuery, keys []runKey) (func(domain.Run, domain.RunColumn) domain.RunCell, error) {
	var names, metrics []string
	for _, c := range f.Columns {
		if c.Metric() {
			metrics = append(metrics, c.Name)
		} else {
			names = append(names, c.Name)
		}
	}
	type param struct {
		run int64
		key string
	}
	params := map[param]string{}
	if len(names) > 0 {
		var w where
		in(&w, "run_id", idsOf(keys, func(k runKey) int64 { return k.id }))
		in(&w, "key", names)
		if _, err := list(ctx, tx, "run param", func(s scanner) (struct{}, error) {
			var p param
			var text string
			err := s.Scan(&p.run, &p.key, &text)
			params[p] = text
			return struct{}{}, err
		}, "SELECT run_id, key, text FROM run_param"+w.String(), w.args...); err != nil {
			return nil, err
		}
	}
	type metric struct {
		run   uint64
		phase domain.Phase
		name  string
	}
	summaries := map[metric]domain.MetricSummary{}
	if len(metrics) > 0 {
		var w where
		w.add("federation_id = ?", f.FederationID)
		in(&w, "engine_run_id", idsOf(keys, func(k runKey) int64 { return k.engineRunID }))
		in(&w, "name", metrics)
		all, err := list(ctx, tx, "metric summary", scanSummary, "SELECT "+summaryColumns+" FROM metric_summary"+w.String(), w.args...)
		if err != nil {
			return nil, err
		}
		for _, m := range all {
			summaries[metric{m.EngineRunID, m.Phase, m.Name}] = m
		}
	}
	return func(r domain.Run, c domain.RunColumn) domain.RunCell {
		if !c.Metric() {
			text, known := params[param{r.ID, c.Name}]
			return domain.RunCell{Known: known, Text: text}
		}
		if m, known := summaries[metric{r.EngineRunID, c.Phase, c.Name}]; known && r.EngineRunID != 0 {
			return m.Cell(c.Of)
		}
		return domain.RunCell{}
	}, nil
}

// runGroups sums up the groups that rows belong to, over all runs of the query.
func (tx *Tx) runGroups(ctx context.Context, f domain.RunQuery, now time.Time, rows []domain.RunRow) (map[string]domain.RunGroup, error) {
	f.Order = ""
	q := newRunSelect(f, now)
	fields := ""
	for i, c := range f.Columns {
		if !c.Metric() {
			fields += ", NULL, NULL"
			continue
		}
		alias := "m" + strconv.Itoa(i)
		q.joins = append(q.joins, q.summary(alias, c))
		fields += fmt.Sprintf(", MIN(%[1]s.%[2]s_value), MAX(%[1]s.%[2]s_value)", alias, c.Of)
	}
	shown := map[string]bool{}
	for _, r := range rows {
		shown[r.Group] = true
	}
	in(&q.where, q.group, slices.Sorted(keysOf(shown)))
	all, err := list(ctx, tx, "group of run", func(s scanner) (domain.RunGroup, error) {
		g := domain.RunGroup{Low: make([]domain.RunCell, len(f.Columns)), High: make([]domain.RunCell, len(f.Columns))}
		values := make([]sql.NullFloat64, 2*len(f.Columns))
		into := []any{&g.Value, &g.Runs}
		for i := range values {
			into = append(into, &values[i])
		}
		err := s.Scan(into...)
		for i := range f.Columns {
			g.Low[i] = domain.RunCell{Known: values[2*i].Valid, Value: values[2*i].Float64}
			g.High[i] = domain.RunCell{Known: values[2*i+1].Valid, Value: values[2*i+1].Float64}
		}
		return g, err
	}, "SELECT "+q.group+", COUNT(*)"+fields+q.from()+" GROUP BY 1", q.args...)
	out := map[string]domain.RunGroup{}
	for _, g := range all {
		out[g.Value] = g
	}
	return out, err
}

func keysOf(m map[string]bool) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// idsOf returns the number that each key has.
func idsOf(keys []runKey, of func(runKey) int64) []int64 {
	out := make([]int64, len(keys))
	for i, k := range keys {
		out[i] = of(k)
	}
	return out
}

// cursor is a key as a part of an address.
func (k runKey) cursor() string {
	float := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }                                   // JSON has no infinities
	text, _ := json.Marshal([]string{float(k.groupNum), k.group, float(k.num), k.text, strconv.FormatInt(k.id, 10)}) // texts always encode
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseRunKey(cursor string) (k runKey, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	var parts []string
	if cursor == "" || err != nil || json.Unmarshal(text, &parts) != nil || len(parts) != 5 {
		return k, false
	}
	k.group, k.text = parts[1], parts[3]
	var errs [3]error
	k.groupNum, errs[0] = strconv.ParseFloat(parts[0], 64)
	k.num, errs[1] = strconv.ParseFloat(parts[2], 64)
	k.id, errs[2] = strconv.ParseInt(parts[4], 10, 64)
	return k, errs == [3]error{} && !math.IsNaN(k.groupNum) && !math.IsNaN(k.num)
}

// RunChoices returns what a federation's runs can be filtered, grouped and shown by: all of them, or with a person those that this
// participant may see.
func (tx *Tx) RunChoices(ctx context.Context, fedID, personID int64) (out domain.RunChoices, err error) {
	var columns []domain.RunColumn
	if personID != 0 {
		columns, out.Tags, err = tx.choicesOf(ctx, fedID, personID)
	} else if columns, err = list(ctx, tx, "run column", scanRunColumn,
		"SELECT phase, name FROM run_column WHERE federation_id = $1 ORDER BY phase, name", fedID); err == nil {
		out.Tags, err = list(ctx, tx, "run tag", scanText, `SELECT DISTINCT v.tag FROM run_tag v JOIN run r ON r.id = v.run_id
			WHERE v.federation_id = $1 AND r.deleted_at = 0 ORDER BY v.tag LIMIT 200`, fedID)
	}
	if err != nil {
		return out, err
	}
	for _, c := range columns {
		switch {
		case !c.Metric():
			out.Config = append(out.Config, c.Name)
		case !domain.IsExamples(c.Name) && domain.WholeName(c.Name) == c.Name: // a list is no column
			out.Metrics = append(out.Metrics, c)
		}
	}
	slices.SortStableFunc(out.Metrics, func(a, b domain.RunColumn) int { return domain.ComparePhases(a.Phase, b.Phase) })
	return out, nil
}
