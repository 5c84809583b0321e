package web

import (
	"context"
	"net/http"
	"strconv"

	"blossomtune/internal/domain"
)

const runsPageSize = 50

// runList is a page of a federation's runs.
type runList struct {
	fedHead
	runs   []domain.Run
	state  string // the filter
	before int64
	next   int64 // cursor of the next page; 0 at the end
}

func (s *server) runList(ctx context.Context, v *visit, state string, before int64) (runList, error) {
	head, err := s.head(ctx, v, "runs")
	l := runList{fedHead: head, state: state, before: before}
	if err != nil {
		return l, err
	}
	f := domain.RunFilter{FederationID: v.fed.ID, Limit: runsPageSize + 1, BeforeID: before}
	switch state {
	case "active":
		f.States = []domain.RunState{domain.Queued, domain.Starting, domain.Running}
	case "completed", "failed", "stopped":
		f.States = []domain.RunState{domain.RunState(state)}
	default:
		l.state = ""
	}
	if l.runs, err = s.Runs.List(ctx, f); err != nil {
		return l, err
	}
	if len(l.runs) > runsPageSize {
		l.runs = l.runs[:runsPageSize]
		l.next = l.runs[runsPageSize-1].ID
	}
	return l, nil
}

func runQuery(r *http.Request) (state string, before int64) {
	before, _ = strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	return r.URL.Query().Get("state"), max(before, 0)
}

func (s *server) runs(w http.ResponseWriter, r *http.Request, v *visit) error {
	state, before := runQuery(r)
	l, err := s.runList(r.Context(), v, state, before)
	if err != nil {
		return err
	}
	p := page{title: "Runs · " + v.fed.Name, nav: "f"}
	if before == 0 {
		p.events = "/f/" + v.fed.Slug + "/runs/events?state=" + l.state
	}
	s.render(w, r, v, http.StatusOK, p, runsPage(l))
	return nil
}

func (s *server) runsEvents(w http.ResponseWriter, r *http.Request, v *visit) error {
	state, _ := runQuery(r)
	return s.follow(w, r, aMember, v, view{
		topics: fedTopics(v.fed.ID),
		look: func(ctx context.Context, v *visit) ([]region, []signal, error) {
			l, err := s.runList(ctx, v, state, 0)
			return []region{{"head", federationHead(l.fedHead)}, {"tabs", federationTabs(l.fedHead)}, {"runs", runsPanel(l)}}, nil, err
		},
	})
}
