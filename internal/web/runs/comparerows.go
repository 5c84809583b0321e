package runs

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/ui"
)

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
				cell.text = domain.ConfigText(v)
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
		for _, m := range collapsed(r.Metrics) {
			col := domain.RunColumn{Phase: m.Phase, Name: m.Name}
			if domain.IsExamples(m.Name) {
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
		row := compareRow{name: strings.TrimSuffix(col.Name, listMark), hint: phaseWords(col.Phase), column: col}
		if row.name != col.Name {
			row.hint += ", mean of its elements"
		}
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
		cells[i].text, cells[i].differs = ui.Num(v), v == best
		if i != c.base && known[c.base] {
			cells[i].delta = deltaText(v - values[c.base])
		}
		if c.q.at != "round" {
			cells[i].delta = strings.TrimSpace(cells[i].delta + " · round " + ui.Itoa(rounds[i]))
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
		return "+" + ui.Num(d)
	}
	if d == 0 {
		return "±0"
	}
	return ui.Num(d)
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
		return r.Run.AppID + " " + r.Run.AppVersion + " " + ui.Short(r.Run.AppHash)
	})
	line("Tags", func(r runs.Curves) string { return ui.OrDash(strings.Join(r.Run.Tags, ", ")) })
	line("Note", func(r runs.Curves) string { return ui.OrDash(r.Run.Note) })
	line("SuperNodes that replied", func(r runs.Curves) string { return c.nodeWords(r, labels) })
}

// nodeWords counts who took part, and names who did not although they did in the baseline.
func (c *comparison) nodeWords(r runs.Curves, labels map[string]string) string {
	words := ui.Itoa(len(r.Nodes))
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
