package runs

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

const (
	runsPageSize = 50
	maxColumnsOf = 12 // columns that one chooses, at once
)

// runTab is one of the lists of runs.
type runTab struct {
	key, name string
	states    []domain.RunState
}

var runTabs = []runTab{
	{"", "All", nil},
	{"active", "Active", []domain.RunState{domain.Queued, domain.Starting, domain.Running}},
	{"completed", "Completed", []domain.RunState{domain.Completed}},
	{"failed", "Failed", []domain.RunState{domain.Failed}},
	{"stopped", "Stopped", []domain.RunState{domain.Stopped}},
}

// runsQuery is what of the runs is looked at; it is the page's address.
type runsQuery struct {
	tab     runTab
	search  string
	tag     string
	order   domain.RunOrder
	asc     bool
	group   string
	columns []domain.RunColumn
	chosen  bool // the visitor chose the columns
	left    int  // chosen columns that are not shown
	after   string
	picks   []string // Run IDs picked to compare
}

// runList is a page of a federation's runs.
type runList struct {
	fedpage.Head
	q       runsQuery
	page    domain.RunPage
	choices domain.RunChoices
	counts  map[string]int // by tab
	came    int            // runs that came since the page was made
}

func runsQueryOf(r *http.Request) runsQuery {
	v := r.URL.Query()
	cut := func(s string) string { return domain.Cut(s, 200) }
	q := runsQuery{tab: runTabs[0], search: cut(strings.TrimSpace(v.Get("q"))), tag: cut(v.Get("tag")),
		order: domain.RunOrder(cut(v.Get("sort"))), asc: v.Get("dir") == "asc", group: cut(v.Get("group")), chosen: v.Get("cols") != "",
		after: v.Get("after")}
	for _, t := range runTabs {
		if t.key == v.Get("state") {
			q.tab = t
		}
	}
	for _, key := range v["col"] {
		c, ok := domain.ParseRunColumn(key)
		switch {
		case !ok || slices.Contains(q.columns, c):
		case len(q.columns) == maxColumnsOf:
			q.left++
		default:
			q.columns, q.chosen = append(q.columns, c), true
		}
	}
	for _, name := range strings.Split(v.Get("pick"), ",") {
		if domain.CheckRunName(name) == nil && len(q.picks) < 50 {
			q.picks = append(q.picks, name)
		}
	}
	return q
}

// address is the query as the part of an address after the question mark; change alters the query first.
func (q runsQuery) address(change func(*runsQuery)) string {
	if change != nil {
		change(&q)
	}
	v := url.Values{}
	set := func(key, text string) {
		if text != "" {
			v.Set(key, text)
		}
	}
	set("state", q.tab.key)
	set("q", q.search)
	set("tag", q.tag)
	set("sort", string(q.order))
	if q.asc {
		v.Set("dir", "asc")
	}
	set("group", q.group)
	set("after", q.after)
	set("pick", strings.Join(q.picks, ","))
	if q.chosen {
		v.Set("cols", "1")
		for _, c := range q.columns {
			v.Add("col", c.Key())
		}
	}
	return v.Encode()
}

func (q runsQuery) query(v *visit.Visit) domain.RunQuery {
	return domain.RunQuery{FederationID: v.Fed.ID, SeenBy: v.SeenBy(), States: q.tab.states, Search: q.search, Tag: q.tag, Order: q.order,
		Ascending: q.asc, Group: q.group, Columns: q.columns, After: q.after, Limit: runsPageSize}
}

// usualColumns are the metrics shown to those who chose none: the last loss and accuracy of the ServerApp's own evaluation, else
// of the participants', else of training.
func usualColumns(choices domain.RunChoices) (out []domain.RunColumn) {
	for _, like := range []string{"acc", "loss", ""} {
		for _, m := range choices.Metrics {
			if len(out) < 2 && m.Phase == choices.Metrics[0].Phase && strings.Contains(strings.ToLower(m.Name), like) {
				m.Of = domain.Last
				if !slices.Contains(out, m) {
					out = append(out, m)
					break
				}
			}
		}
	}
	return out
}

func (s *Pages) runList(ctx context.Context, v *visit.Visit, q runsQuery) (runList, error) {
	head, err := s.Fed.Head(ctx, v, "runs")
	l := runList{Head: head, q: q}
	if err != nil {
		return l, err
	}
	if l.choices, err = s.Runs.Choices(ctx, v.Fed.ID, v.SeenBy()); err != nil {
		return l, err
	}
	if !q.chosen {
		l.q.columns = usualColumns(l.choices)
	}
	l.page, err = s.Runs.Find(ctx, l.q.query(v))
	l.count()
	return l, err
}

func (l *runList) count() {
	l.counts = map[string]int{}
	for state, n := range l.page.Counts {
		for _, t := range runTabs {
			if t.states == nil || slices.Contains(t.states, state) {
				l.counts[t.key] += n
			}
		}
	}
}

// List is the list of a federation's runs that the visitor may see.
func (s *Pages) List(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	l, err := s.runList(r.Context(), v, runsQueryOf(r))
	if err != nil {
		return err
	}
	p := ui.Page{Title: "Runs · " + v.Fed.Name, Nav: "f"}
	if l.q.after == "" {
		p.Events = "/f/" + v.Fed.Slug + "/runs/events?" + l.q.address(nil)
	}
	s.Render(w, r, v, http.StatusOK, p, runsPage(l))
	return nil
}

// Events keeps the rows where they are and changes what is in them; runs that came since wait behind a link.
func (s *Pages) Events(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	var first *runList
	q := runsQueryOf(r)
	return s.Live.Follow(w, r, visit.Member, v, live.View{
		Topics: live.FederationTopics(v.Fed.ID),
		Poll:   live.PollActive,
		Look: func(ctx context.Context, v *visit.Visit) ([]live.Region, []live.Signal, error) {
			if first == nil {
				l, err := s.runList(ctx, v, q)
				if err != nil {
					return nil, nil, err
				}
				first = &l
			}
			l := *first
			var err error
			if l.Head, err = s.Fed.Head(ctx, v, "runs"); err != nil {
				return nil, nil, err
			}
			l.page, l.came, err = s.Runs.Same(ctx, l.q.query(v), first.page)
			l.count()
			return []live.Region{
				{ID: "head", Body: fedpage.Header(l.Head)},
				{ID: "tabs", Body: fedpage.Tabs(l.Head)},
				{ID: "runchips", Body: runChips(l)},
				{ID: "runnew", Body: runsCame(l)},
				{ID: "runrows", Body: runRows(l)},
			}, nil, err
		},
	})
}

func cellText(c domain.RunColumn, v domain.RunCell) string {
	switch {
	case !v.Known:
		return "–"
	case c.Metric():
		return ui.Num(v.Value)
	}
	return v.Text
}

// rangeText is a group's least and greatest value in a column.
func rangeText(low, high domain.RunCell) string {
	if !low.Known || math.IsNaN(low.Value) {
		return ""
	}
	if ui.Num(low.Value) == ui.Num(high.Value) {
		return ui.Num(low.Value)
	}
	return ui.Num(low.Value) + " to " + ui.Num(high.Value)
}

var whichWords = map[domain.Which]string{domain.Last: "last", domain.Lowest: "best (lowest)", domain.Highest: "best (highest)"}

func phaseWords(p domain.Phase) string {
	if p == domain.PhaseServer {
		return "on the server"
	}
	return string(p)
}
