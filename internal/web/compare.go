package web

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
)

const (
	maxCompared = 8
	fewMetrics  = 12 // rows of metrics that are shown at first
)

// compareQuery is what is compared and how; it is the page's address.
type compareQuery struct {
	names []string
	base  string
	at    string // "round", "best", "last"
	round int    // of "round"; 0: the newest that all have reached
	all   bool   // every config key and metric, not only what differs and the first ones
	turn  []string
}

// comparison is everything the page that compares runs shows.
type comparison struct {
	fed    domain.Federation
	q      compareQuery
	base   int // the baseline's place in runs
	runs   []runs.Curves
	others []string // Run IDs that can be added
	config []compareRow
	keys   int // config keys there are
	facts  []compareRow
	values []compareRow
	hidden int // metrics that are not shown
	round  int
	last   int // the newest round that any run has values of
}

// compareRow is one line: what, and each run's value of it.
type compareRow struct {
	name, hint string
	cells      []compareCell
	column     domain.RunColumn // of a metric
}

type compareCell struct {
	text, delta string
	differs     bool // from the baseline, or for metrics: the best of the row
}

func compareQueryOf(r *http.Request) compareQuery {
	v := r.URL.Query()
	q := compareQuery{base: v.Get("base"), at: v.Get("at"), all: v.Get("all") != ""}
	q.round, _ = strconv.Atoi(v.Get("round")) // nonsense is the newest
	q.round = max(q.round, 0)
	if q.at != "best" && q.at != "last" {
		q.at = "round"
	}
	for _, list := range slices.Concat(v["runs"], v["run"], v["add"]) {
		for _, name := range strings.Split(list, ",") {
			if domain.CheckRunName(name) == nil && !slices.Contains(q.names, name) {
				q.names = append(q.names, name)
			}
		}
	}
	for _, key := range strings.Split(v.Get("turn"), ",") {
		if key != "" && len(q.turn) < 50 {
			q.turn = append(q.turn, key)
		}
	}
	return q
}

// address is the query as the part of an address after the question mark; change alters the query first.
func (q compareQuery) address(change func(*compareQuery)) string {
	q.names, q.turn = slices.Clone(q.names), slices.Clone(q.turn)
	if change != nil {
		change(&q)
	}
	v := url.Values{}
	if q.base != "" && slices.Contains(q.names, q.base) && q.base != q.names[0] {
		v.Set("base", q.base)
	}
	if q.at != "round" {
		v.Set("at", q.at)
	} else if q.round > 0 {
		v.Set("round", itoa(q.round))
	}
	if q.all {
		v.Set("all", "1")
	}
	if len(q.turn) > 0 {
		v.Set("turn", strings.Join(q.turn, ","))
	}
	out := "runs=" + strings.Join(q.names, ",") // commas are readable in an address, and allowed
	if rest := v.Encode(); rest != "" {
		out += "&" + rest
	}
	return out
}

func (s *server) comparison(ctx context.Context, v *visit, q compareQuery) (comparison, error) {
	c := comparison{fed: v.fed, q: q}
	if len(q.names) > maxCompared {
		return c, domain.Errorf(domain.Invalid, "At most %d runs can be compared, not %d.", maxCompared, len(q.names)).Fix("Go back and pick fewer.")
	}
	var chosen []domain.Run
	for i, name := range q.names {
		run, err := s.Runs.ByName(ctx, name)
		if domain.CodeOf(err) == domain.NotFound || err == nil && run.FederationID != v.fed.ID {
			return c, domain.Errorf(domain.NotFound, "%s has no run %q.", v.fed.Name, name).Fix("Look at the list of runs.")
		}
		if err != nil {
			return c, err
		}
		chosen = append(chosen, run)
		if name == q.base {
			c.base = i
		}
	}
	var err error
	if c.runs, err = s.Runs.Curves(ctx, chosen); err != nil {
		return c, err
	}
	newest, err := s.Runs.List(ctx, domain.RunFilter{FederationID: v.fed.ID, Limit: 200})
	if err != nil {
		return c, err
	}
	for _, r := range newest {
		if !slices.Contains(q.names, r.Name) {
			c.others = append(c.others, r.Name)
		}
	}
	keys, err := s.Onboarding.NodeKeys(ctx, v.fed.ID)
	if err != nil || len(c.runs) == 0 {
		return c, err
	}
	c.compareConfig()
	c.compareMetrics()
	c.compareFacts(nodeLabels(keys))
	return c, nil
}

func (s *server) compare(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := compareQueryOf(r)
	if r.URL.Query().Has("add") || r.URL.Query().Has("run") || r.URL.Query().Has("submit") { // forms without a script: one address for one thing
		http.Redirect(w, r, "/f/"+v.fed.Slug+"/compare?"+q.address(nil), http.StatusSeeOther)
		return nil
	}
	c, err := s.comparison(r.Context(), v, q)
	if err != nil {
		return err
	}
	title := fmt.Sprintf("Compare %s", plural(len(c.runs), "run", "runs"))
	s.render(w, r, v, http.StatusOK, page{title: title + " · " + v.fed.Name, nav: "f", events: "/f/" + v.fed.Slug + "/compare/events?" + q.address(nil)}, comparePage(c, title))
	return nil
}

func (s *server) compareEvents(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := compareQueryOf(r)
	c, err := s.comparison(r.Context(), v, q)
	if err != nil {
		return err
	}
	live := view{topics: []string{runsTopic(v.fed.ID)}, look: func(ctx context.Context, v *visit) ([]region, []signal, error) {
		c, err := s.comparison(ctx, v, q)
		values := 0
		for _, r := range c.runs {
			values += len(r.Metrics)
		}
		return []region{{"compared", compareTable(c)}}, []signal{{"metric", values}}, err
	}}
	for _, c := range c.runs {
		live.topics = append(live.topics, runTopic(c.Run.ID))
		if !c.Run.State.Ended() {
			live.poll = pollActive
		}
	}
	return s.follow(w, r, aMember, v, live)
}

func (c *comparison) compareConfig() {
	configs := make([]map[string]any, len(c.runs))
	var keys []string
	for i, r := range c.runs {
		configs[i] = r.Config()
		for k := range configs[i] {
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	slices.Sort(keys)
	c.keys = len(keys)
	for _, k := range keys {
		row := compareRow{name: k}
		differ := false
		for i := range configs {
			cell := compareCell{text: "–"}
			if v, ok := configs[i][k]; ok {
				cell.text = configText(v)
			}
			cell.differs = configs[i][k] != configs[c.base][k]
			differ = differ || cell.differs
			row.cells = append(row.cells, cell)
		}
		if differ || c.q.all {
			c.config = append(c.config, row)
		}
	}
}

// lowIsBest guesses from a metric's name which of its values are good; the page says what it took, and takes the other on request.
func (c *comparison) lowIsBest(col domain.RunColumn) bool {
	low := false
	for _, word := range []string{"loss", "error", "err", "mse", "mae", "rmse", "perplexity", "time", "seconds", "divergence"} {
		low = low || strings.Contains(strings.ToLower(col.Name), word)
	}
	return low != slices.Contains(c.q.turn, turnKey(col))
}

func turnKey(col domain.RunColumn) string { return string(col.Phase) + "." + col.Name }

// curve is one metric of one run: value by round.
type curve map[int]float64

func (c *comparison) compareMetrics() {
	curves := map[domain.RunColumn][]curve{}
	means := map[domain.RunColumn]bool{}
	reached := make([]int, len(c.runs))
	for i, r := range c.runs {
		for _, m := range r.Metrics {
			col := domain.RunColumn{Phase: m.Phase, Name: m.Name}
			if m.Name == "num-examples" {
				continue
			}
			if curves[col] == nil {
				curves[col] = make([]curve, len(c.runs))
			}
			if curves[col][i] == nil {
				curves[col][i] = curve{}
			}
			curves[col][i][m.Round] = m.Value
			means[col] = means[col] || r.Means[col]
			reached[i] = max(reached[i], m.Round)
		}
	}
	for _, n := range reached {
		if n > 0 && (c.round == 0 || n < c.round) {
			c.round = n
		}
		c.last = max(c.last, n)
	}
	if c.q.round > 0 {
		c.round = min(c.q.round, c.last)
	}
	columns := make([]domain.RunColumn, 0, len(curves))
	for col := range curves {
		columns = append(columns, col)
	}
	slices.SortFunc(columns, func(a, b domain.RunColumn) int {
		if n := domain.ComparePhases(a.Phase, b.Phase); n != 0 {
			return n
		}
		return strings.Compare(a.Name, b.Name)
	})
	if len(columns) > fewMetrics && !c.q.all {
		c.hidden = len(columns) - fewMetrics
		columns = columns[:fewMetrics]
	}
	for _, col := range columns {
		row := compareRow{name: col.Name, hint: phaseWords(col.Phase), column: col}
		if means[col] {
			row.hint += ", mean of participants"
		}
		row.cells = c.metricCells(col, curves[col])
		c.values = append(c.values, row)
	}
}

func (c *comparison) metricCells(col domain.RunColumn, curves []curve) []compareCell {
	values, rounds, known := make([]float64, len(curves)), make([]int, len(curves)), make([]bool, len(curves))
	for i, k := range curves {
		values[i], rounds[i], known[i] = c.valueOf(col, k)
	}
	best := math.NaN()
	for i, v := range values {
		if known[i] && !math.IsNaN(v) && (math.IsNaN(best) || v < best == c.lowIsBest(col) && v != best) {
			best = v
		}
	}
	cells := make([]compareCell, len(curves))
	for i, v := range values {
		cells[i] = compareCell{text: "–"}
		if !known[i] {
			continue
		}
		cells[i].text, cells[i].differs = num(v), v == best
		if i != c.base && known[c.base] {
			cells[i].delta = deltaText(v - values[c.base])
		}
		if c.q.at != "round" {
			cells[i].delta = strings.TrimSpace(cells[i].delta + " · round " + itoa(rounds[i]))
			cells[i].delta = strings.TrimPrefix(cells[i].delta, "· ")
		}
	}
	return cells
}

// valueOf returns a run's value of a metric: at the round, the last, or the best.
func (c *comparison) valueOf(col domain.RunColumn, k curve) (value float64, round int, known bool) {
	if c.q.at == "round" {
		value, known = k[c.round]
		return value, c.round, known
	}
	for n, v := range k {
		better := n > round
		if c.q.at == "best" {
			better = !math.IsNaN(v) && (math.IsNaN(value) || v < value == c.lowIsBest(col) && v != value || v == value && n < round)
		}
		if !known || better {
			value, round, known = v, n, true
		}
	}
	return value, round, known
}

func deltaText(d float64) string {
	if d > 0 {
		return "+" + num(d)
	}
	if d == 0 {
		return "±0"
	}
	return num(d)
}

// compareFacts are the lines that need no choice: app, time, who took part.
func (c *comparison) compareFacts(labels map[string]string) {
	line := func(name string, text func(runs.Curves) string) {
		row := compareRow{name: name}
		for _, r := range c.runs {
			t := text(r)
			row.cells = append(row.cells, compareCell{text: t, differs: t != text(c.runs[c.base])})
		}
		c.facts = append(c.facts, row)
	}
	line("App", func(r runs.Curves) string {
		return r.Run.AppID + " " + r.Run.AppVersion + " " + short(r.Run.AppHash)
	})
	line("Tags", func(r runs.Curves) string { return orDash(strings.Join(r.Run.Tags, ", ")) })
	line("Note", func(r runs.Curves) string { return orDash(r.Run.Note) })
	line("SuperNodes that replied", func(r runs.Curves) string { return c.nodeWords(r, labels) })
}

// nodeWords counts who took part, and names who did not although they did in the baseline.
func (c *comparison) nodeWords(r runs.Curves, labels map[string]string) string {
	words := itoa(len(r.Nodes))
	var without []string
	for _, n := range c.runs[c.base].Nodes {
		if !slices.Contains(r.Nodes, n) {
			label := labels[strconv.FormatUint(n, 10)]
			if label == "" {
				label = "one that is gone"
			}
			without = append(without, label)
		}
	}
	if len(without) > 3 {
		without = append(without[:3], "others")
	}
	if len(without) > 0 {
		words += ", without " + strings.Join(without, ", ")
	}
	return words
}

// compareSeries is one metric of the compared runs for the charts.
type compareSeries struct {
	Phase string                   `json:"phase"`
	Name  string                   `json:"name"`
	Mean  bool                     `json:"mean,omitempty"`
	Runs  map[string][]comparePart `json:"runs"` // by Run ID
}

// comparePart is one value; JSON has no NaN and no infinities: those are text.
type comparePart struct {
	Round   int      `json:"round"`
	Seconds float64  `json:"seconds"` // since the run began to run
	Value   *float64 `json:"value,omitempty"`
	Text    string   `json:"text,omitempty"`
}

func (s *server) compareCurves(w http.ResponseWriter, r *http.Request, v *visit) error {
	c, err := s.comparison(r.Context(), v, compareQueryOf(r))
	if err != nil {
		return err
	}
	all := map[string]*compareSeries{}
	for _, r := range c.runs {
		from := startOf(r.Run)
		for _, m := range r.Metrics {
			if m.Name == "num-examples" {
				continue
			}
			key := turnKey(domain.RunColumn{Phase: m.Phase, Name: m.Name})
			if all[key] == nil {
				all[key] = &compareSeries{Phase: string(m.Phase), Name: m.Name, Runs: map[string][]comparePart{}}
			}
			all[key].Mean = all[key].Mean || r.Means[domain.RunColumn{Phase: m.Phase, Name: m.Name}]
			p := comparePart{Round: m.Round, Seconds: math.Max(m.At.Sub(from).Seconds(), 0)}
			if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
				p.Text = num(m.Value)
			} else {
				p.Value = &m.Value
			}
			all[key].Runs[r.Run.Name] = append(all[key].Runs[r.Run.Name], p)
		}
	}
	out := make([]*compareSeries, 0, len(all))
	for _, series := range all {
		out = append(out, series)
	}
	slices.SortFunc(out, func(a, b *compareSeries) int {
		if n := domain.ComparePhases(domain.Phase(a.Phase), domain.Phase(b.Phase)); n != 0 {
			return n
		}
		return strings.Compare(a.Name, b.Name)
	})
	base := ""
	if len(c.runs) > 0 {
		base = c.runs[c.base].Run.Name
	}
	return writeJSON(w, r, map[string]any{"series": out, "base": base, "runs": c.q.names})
}
