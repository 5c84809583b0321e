package rounds

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/visit"
)

const (
	rowsAtOnce = 12 // participants of a page; with more, a strip shows all of them at once
	stripBins  = 60
	slowFactor = 2 // a participant that takes this many times the median is a straggler
)

// View is one round of a run: who did what for how long, beside what they did in the other rounds.
type View struct {
	address string // of the run
	run     domain.Run
	round   int
	last    int
	live    bool // it goes on
	shape   mapShape
	rows    []roundRow
	total   int // participants
	page    int
	pages   int
	ticks   []roundTick
	strip   []stripBar
	server  []roundBar
	agg     time.Duration // that the ServerApp aggregated
	summary string
}

// roundRow is one participant.
type roundRow struct {
	label string
	cells []mapCell
	bars  []roundBar
	slow  bool
	took  string
}

// roundBar is a stretch of time; at and long are hundredths of the round.
type roundBar struct {
	class    string // of its look: wait, get, train, put, eval, agg
	at, long float64
	words    string
}

type roundTick struct {
	at   float64
	text string
}

// stripBar is how many participants did something in one of the strip's bins; y and high are hundredths of its height.
type stripBar struct {
	class    string
	at, long float64
	y, high  float64
}

// Query is which round is shown, and which page of its SuperNodes.
type Query struct{ round, page int }

// QueryOf reads the query of a request.
func QueryOf(r *http.Request) Query {
	var q Query
	q.round, _ = strconv.Atoi(r.URL.Query().Get("round"))
	q.page, _ = strconv.Atoi(r.URL.Query().Get("people"))
	return q
}

// Round is the rounds' part of a run's page by itself: the script shows another round with it.
func (s *Pages) Round(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	run, err := s.Run(r.Context(), r, v)
	if err != nil {
		return err
	}
	view, err := s.View(r.Context(), v, run, QueryOf(r))
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := Panel(view).Render(s.DrawContext(r.Context()), &b); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	visit.WriteBody(w, r, http.StatusOK, []byte(b.String()))
	return nil
}

// View reads what is shown of a run's rounds.
func (s *Pages) View(ctx context.Context, v *visit.Visit, run domain.Run, q Query) (View, error) {
	view := View{address: cmp.Or(v.Base, "/f/"+v.Fed.Slug+"/runs/"+run.Name), run: run}
	var err error
	if view.last, err = s.Runs.LastRound(ctx, run); err != nil || view.last == 0 {
		return view, err
	}
	view.round = view.last
	if q.round > 0 {
		view.round = min(q.round, view.last)
	}
	view.live = view.round == view.last && !run.State.Ended()
	passages, err := s.Runs.Passages(ctx, run, view.round)
	if err != nil {
		return view, err
	}
	people, err := s.Runs.Participants(ctx, run)
	if err != nil {
		return view, err
	}
	labels, err := s.Runs.NodeLabels(ctx, run)
	if err != nil {
		return view, err
	}
	starts, err := s.Runs.RoundStarts(ctx, run, []int{view.round + 1})
	if err != nil {
		return view, err
	}
	t := timelineOf(passages, starts[view.round+1], s.Clock().UTC(), view.live)
	order := inMapOrder(t, people, labels)
	view.total, view.pages = len(order), (len(order)+rowsAtOnce-1)/rowsAtOnce
	view.page = min(max(q.page, 1), max(view.pages, 1))
	here := order[(view.page-1)*rowsAtOnce : min(view.page*rowsAtOnce, len(order))]
	planned := run.Rounds
	if run.EndedEarly() {
		planned = run.Round // nothing is missing
	}
	view.shape = shapeOf(view.last, planned, view.round)
	cells, err := s.cellsOf(ctx, run, view.shape, here, view.last)
	if err != nil {
		return view, err
	}
	for _, node := range here {
		row := roundRow{label: LabelOf(labels, node), cells: cells[node]}
		if p := t.people[node]; p != nil {
			row.slow, row.took, row.bars = t.slow(p), t.words(p), t.bars(p.passages)
		} else if c := row.cells[(view.round-1)/view.shape.size]; c.cell == domain.CellOffline {
			row.took = "offline"
		}
		view.rows = append(view.rows, row)
	}
	view.ticks, view.summary = t.ticks(), t.summary(labels)
	view.server, view.agg = t.serverApp()
	if view.total > rowsAtOnce {
		view.strip = t.strip()
	}
	return view, nil
}

// inMapOrder puts those who were asked first, the slowest before the others, then everybody else by partition.
func inMapOrder(t *timeline, people []domain.RunParticipant, labels map[string]string) []uint64 {
	var order []uint64
	for node := range t.people {
		order = append(order, node)
	}
	slices.SortFunc(order, func(a, b uint64) int {
		return cmp.Or(cmp.Compare(t.people[b].took, t.people[a].took), cmp.Compare(len(LabelOf(labels, a)), len(LabelOf(labels, b))),
			cmp.Compare(LabelOf(labels, a), LabelOf(labels, b)))
	})
	for _, p := range people {
		if p.NodeID != 0 && t.people[p.NodeID] == nil {
			order = append(order, p.NodeID)
		}
	}
	return order
}

// RoundsVersion changes whenever a run's newest round does.
func (s *Pages) RoundsVersion(ctx context.Context, run domain.Run) (string, error) {
	last, err := s.Runs.LastRound(ctx, run)
	if err != nil || last == 0 {
		return "", err
	}
	passages, err := s.Runs.Passages(ctx, run, last)
	h := fnv.New64a()
	for _, p := range passages {
		fmt.Fprint(h, p.MessageID, p.RepliedAt.UnixMilli(), p.TakenAt.UnixMilli(), p.GotAt.UnixMilli(), p.PutAt.UnixMilli(), p.SentAt.UnixMilli())
	}
	return fmt.Sprintf("%d-%x-%s", last, h.Sum64(), run.State), err
}
