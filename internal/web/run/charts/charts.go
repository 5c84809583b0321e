package charts

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

const (
	maxPoints    = 400 // of one line; with more rounds, a point stands for several
	chartsAtOnce = 12
	maxPicked    = 20 // SuperNodes with lines of their own
	ranked       = 5  // shown of the lowest or the highest
)

// chartNumber is a number in JSON, which has no NaN and no infinities: those are text, and null is what is not known.
type chartNumber struct{ v *float64 }

// MarshalJSON implements json.Marshaler.
func (n chartNumber) MarshalJSON() ([]byte, error) {
	switch {
	case n.v == nil:
		return []byte("null"), nil
	case math.IsNaN(*n.v) || math.IsInf(*n.v, 0):
		return strconv.AppendQuote(nil, ui.Num(*n.v)), nil
	}
	return strconv.AppendFloat(nil, *n.v, 'g', -1, 64), nil
}

// chartSeries is one metric over rounds, as the page's script draws it.
type chartSeries struct {
	Phase    string        `json:"phase"`
	Name     string        `json:"name"`
	Rounds   []int         `json:"rounds"`
	Nodes    []int         `json:"nodes"` // SuperNodes that sent it
	Odd      []int         `json:"odd"`   // NaN or infinite ones
	Low      []chartNumber `json:"low"`
	Median   []chartNumber `json:"median"`
	High     []chartNumber `json:"high"`
	Weighted []chartNumber `json:"weighted"` // our mean
	Whole    []chartNumber `json:"whole"`    // the app's own
	People   []chartPerson `json:"people,omitempty"`

	List   bool          `json:"list,omitempty"`   // its points are the elements of a list in one round
	Round  int           `json:"round,omitempty"`  // that round
	First  *int          `json:"first,omitempty"`  // the round of Before
	Before []chartNumber `json:"before,omitempty"` // the same in an earlier round
}

type chartPerson struct {
	Node   string        `json:"node"`
	Rounds []int         `json:"rounds"`
	Values []chartNumber `json:"values"`
}

// chartFeed is what changed of the charts since the client's last question, or all of a window of rounds.
type chartFeed struct {
	Upto    int64             `json:"upto"`
	First   int               `json:"first"`
	Last    int               `json:"last"`
	Size    int               `json:"size"`   // rounds that one point stands for
	Rounds  int               `json:"rounds"` // planned; 0 while unknown
	Ended   bool              `json:"ended"`
	Metrics int               `json:"metrics"`
	Dropped int64             `json:"dropped"`
	Limit   int64             `json:"limit"` // metrics kept of a run at most
	Nodes   map[string]string `json:"nodes,omitempty"`
	Series  []chartSeries     `json:"series"`
	Charts  []string          `json:"charts"` // the keys of all series there are to show; others are gone
}

// chartQuery is what a page asks for.
type chartQuery struct {
	after    int64
	from, to int
	charts   int      // how many
	nodes    []uint64 // with lines of their own
	rank     string   // "low", "high" or ""
}

func chartQueryOf(r *http.Request) chartQuery {
	v := r.URL.Query()
	var q chartQuery
	q.after, _ = strconv.ParseInt(v.Get("after"), 10, 64)
	q.from, _ = strconv.Atoi(v.Get("from"))
	q.to, _ = strconv.Atoi(v.Get("to"))
	more, _ := strconv.Atoi(v.Get("more"))
	q.charts = chartsAtOnce * (1 + min(max(more, 0), 100))
	q.rank = v.Get("rank")
	for text := range strings.SplitSeq(v.Get("nodes"), ",") {
		if id, err := strconv.ParseUint(text, 10, 64); err == nil && id != 0 && len(q.nodes) < maxPicked {
			q.nodes = append(q.nodes, id)
		}
	}
	return q
}

var phaseOrder = []domain.Phase{domain.PhaseServer, domain.PhaseEvaluate, domain.PhaseTrain, domain.PhaseOther}

// inOrder sorts metrics as charts show them: what tells most first, the numbers of examples last.
func inOrder(names []domain.MetricName) []domain.MetricName {
	slices.SortFunc(names, func(a, b domain.MetricName) int {
		if x, y := domain.IsExamples(a.Name), domain.IsExamples(b.Name); x != y {
			return map[bool]int{true: 1, false: -1}[x]
		}
		if d := slices.Index(phaseOrder, a.Phase) - slices.Index(phaseOrder, b.Phase); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	return names
}

// Feed is what the charts draw: a window of rounds, summed up so far that a browser can hold it.
func (s *Pages) Feed(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	run, err := s.Run(r.Context(), r, v)
	if err != nil {
		return err
	}
	feed, err := s.chartFeed(r.Context(), run, chartQueryOf(r))
	if err != nil {
		return err
	}
	if r.URL.Query().Get("after") == "" {
		if feed.Nodes, err = s.Runs.NodeLabels(r.Context(), run); err != nil {
			return err
		}
	}
	return visit.WriteJSON(w, r, feed)
}

func (s *Pages) chartFeed(ctx context.Context, run domain.Run, q chartQuery) (chartFeed, error) {
	m, err := s.Runs.MetricMeter(ctx, run) // before what it tells of: what comes meanwhile is told twice, not never
	if err != nil {
		return chartFeed{}, err
	}
	names, err := s.Runs.MetricNames(ctx, run)
	if err != nil {
		return chartFeed{}, err
	}
	all := chartedOf(inOrder(names))
	feed := chartFeed{Upto: m.Rolled, Metrics: len(all), Dropped: m.Dropped, Limit: domain.MaxMetrics, Rounds: run.Rounds,
		Ended: run.State.Ended(), Series: []chartSeries{}, Charts: []string{}}
	if feed.First, feed.Last, err = s.Runs.BandRounds(ctx, run); err != nil {
		return feed, err
	}
	from, to := max(q.from, feed.First), feed.Last
	if q.to > 0 {
		to = min(q.to, to)
	}
	feed.Size = max((to-from+maxPoints)/maxPoints, 1)
	for _, c := range all[:min(len(all), q.charts)] {
		feed.Charts = append(feed.Charts, c.key())
		var one chartSeries
		if c.list {
			one, err = s.listSeries(ctx, run, c.MetricName, from, to, q)
		} else {
			one, err = s.chartSeries(ctx, run, domain.BandQuery{MetricName: c.MetricName, After: q.after, From: from, To: to, Size: feed.Size}, q)
		}
		if err != nil {
			return feed, err
		}
		if len(one.Rounds) > 0 || len(one.People) > 0 {
			feed.Series = append(feed.Series, one)
		}
	}
	return feed, nil
}

func (s *Pages) chartSeries(ctx context.Context, run domain.Run, at domain.BandQuery, q chartQuery) (chartSeries, error) {
	one := chartSeries{Phase: string(at.Phase), Name: at.Name, Rounds: []int{}}
	bands, err := s.Runs.Bands(ctx, run, at)
	if err != nil {
		return one, err
	}
	one.addBands(bands, func(b domain.Band) int { return b.Round })
	nodes := q.nodes
	if q.rank != "" && len(bands) > 0 {
		if nodes, err = s.Runs.RankedNodes(ctx, run, bands[len(bands)-1].Round, at.Phase, at.Name, q.rank == "high", ranked); err != nil {
			return one, err
		}
	}
	for _, id := range nodes {
		p := chartPerson{Node: strconv.FormatUint(id, 10), Rounds: []int{}}
		at.After = 0
		ms, err := s.Runs.NodeMetrics(ctx, run, id, at)
		if err != nil {
			return one, err
		}
		for _, m := range ms {
			p.Rounds, p.Values = append(p.Rounds, m.Round), append(p.Values, chartNumber{&m.Value})
		}
		one.People = append(one.People, p)
	}
	return one, nil
}

// addBands adds bands as points, each at its place on the x axis.
func (c *chartSeries) addBands(bands []domain.Band, at func(domain.Band) int) {
	for _, b := range bands {
		c.Rounds, c.Nodes, c.Odd = append(c.Rounds, at(b)), append(c.Nodes, b.Nodes), append(c.Odd, b.Odd)
		c.Low, c.Median, c.High = append(c.Low, chartNumber{b.Low}), append(c.Median, chartNumber{b.Median}), append(c.High, chartNumber{b.High})
		c.Weighted, c.Whole = append(c.Weighted, chartNumber{b.Weighted}), append(c.Whole, chartNumber{b.Whole})
	}
}
