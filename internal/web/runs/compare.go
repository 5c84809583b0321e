package runs

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
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
		v.Set("round", ui.Itoa(q.round))
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

func (s *Pages) comparison(ctx context.Context, v *visit.Visit, q compareQuery) (comparison, error) {
	c := comparison{fed: v.Fed, q: q}
	if len(q.names) > maxCompared {
		return c, domain.Errorf(domain.Invalid, "At most %d runs can be compared, not %d.", maxCompared, len(q.names)).
			Fix("Go back and pick fewer.")
	}
	var chosen []domain.Run
	for i, name := range q.names {
		run, err := s.RunNamed(ctx, v, name)
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
	newest, err := s.Runs.List(ctx, domain.RunFilter{FederationID: v.Fed.ID, SeenBy: v.SeenBy(), Limit: 200})
	if err != nil {
		return c, err
	}
	for _, r := range newest {
		if !slices.Contains(q.names, r.Name) {
			c.others = append(c.others, r.Name)
		}
	}
	if len(c.runs) == 0 {
		return c, nil
	}
	labels := map[string]string{}
	for _, run := range chosen {
		of, err := s.Runs.NodeLabels(ctx, run)
		if err != nil {
			return c, err
		}
		maps.Copy(labels, of)
	}
	c.compareConfig()
	c.compareMetrics()
	c.compareFacts(labels)
	return c, nil
}

// Compare is the comparison of some runs.
func (s *Pages) Compare(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	q := compareQueryOf(r)
	// forms without a script: one address for one thing
	if r.URL.Query().Has("add") || r.URL.Query().Has("run") || r.URL.Query().Has("submit") {
		http.Redirect(w, r, "/f/"+v.Fed.Slug+"/compare?"+q.address(nil), http.StatusSeeOther)
		return nil
	}
	c, err := s.comparison(r.Context(), v, q)
	if err != nil {
		return err
	}
	title := fmt.Sprintf("Compare %s", ui.Plural(len(c.runs), "run", "runs"))
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: title + " · " + v.Fed.Name, Nav: "f", Events: "/f/" + v.Fed.Slug + "/compare/events?" +
		q.address(nil)}, comparePage(c, title))
	return nil
}

// CompareEvents keeps a comparison live while one of its runs goes on.
func (s *Pages) CompareEvents(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	q := compareQueryOf(r)
	c, err := s.comparison(r.Context(), v, q)
	if err != nil {
		return err
	}
	stream := live.View{Topics: []string{live.RunsTopic(v.Fed.ID)}, Look: func(ctx context.Context, v *visit.Visit) ([]live.Region,
		[]live.Signal, error) {
		c, err := s.comparison(ctx, v, q)
		values := 0
		for _, r := range c.runs {
			values += len(r.Metrics)
		}
		return []live.Region{{ID: "compared", Body: compareTable(c)}}, []live.Signal{{Name: "metric", Data: values}}, err
	}}
	for _, c := range c.runs {
		stream.Topics = append(stream.Topics, live.RunTopic(c.Run.ID))
		if !c.Run.State.Ended() {
			stream.Poll = live.PollActive
		}
	}
	return s.Live.Follow(w, r, visit.Member, v, stream)
}
