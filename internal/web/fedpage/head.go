package fedpage

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// Head is what the head and the tabs of all pages of one federation show.
type Head struct {
	Fed     domain.Federation
	Link    domain.SuperLink
	Nodes   domain.NodeCount
	Tally   domain.NodeTally
	Pending int
	Manager bool
	Active  int // runs that would end with the SuperLink
	tab     string
}

// Head reads the head of the visit's federation; tab is the page that it stands on.
func (s *Reader) Head(ctx context.Context, v *visit.Visit, tab string) (Head, error) {
	h := Head{Fed: v.Fed, Link: s.Engines.Status(v.Fed.ID), Manager: v.Manager(), tab: tab}
	fed, err := s.Onboarding.FederationBySlug(ctx, v.Fed.Slug)
	if err != nil {
		return h, err
	}
	h.Fed = fed
	h.Link.Idle = fed.EngineIdle && h.Link.State == domain.SuperLinkStopped
	if h.Tally, err = s.Onboarding.NodeTally(ctx, v.Fed.ID); err != nil {
		return h, err
	}
	h.Nodes = h.Tally.Count()
	active, err := s.Runs.List(ctx, domain.RunFilter{FederationID: v.Fed.ID, States: []domain.RunState{domain.Starting, domain.Running}})
	if err != nil {
		return h, err
	}
	h.Active = len(active)
	if h.Manager {
		h.Pending, err = s.Onboarding.CountChosen(ctx, domain.RequestFilter{FederationID: v.Fed.ID,
			States: []domain.RequestState{domain.Pending}})
	}
	return h, err
}

// FreePartitions is how many partitions nobody holds.
func (h Head) FreePartitions() int { return max(h.Fed.TotalPartitions-h.Tally.Approved, 0) }

// Busy tells which of some SuperNodes were asked in the newest round of a run and have not replied.
func (s *Reader) Busy(ctx context.Context, run domain.Run, rows []domain.NodeRow) (map[uint64]bool, error) {
	var nodes []uint64
	for _, r := range rows {
		if r.Key.NodeID != 0 {
			nodes = append(nodes, r.Key.NodeID)
		}
	}
	busy := map[uint64]bool{}
	if run.ID == 0 || len(nodes) == 0 {
		return busy, nil
	}
	waiting, err := s.Runs.WaitingAmong(ctx, run, nodes)
	for _, id := range waiting {
		busy[id] = true
	}
	return busy, err
}

// Running returns the federation's newest run that has a ServerApp, or none; with a person of those that this participant may see.
func (s *Reader) Running(ctx context.Context, fedID, personID int64) (domain.Run, error) {
	all, err := s.Runs.List(ctx, domain.RunFilter{FederationID: fedID, SeenBy: personID,
		States: []domain.RunState{domain.Starting, domain.Running}, Limit: 1})
	if err != nil || len(all) == 0 {
		return domain.Run{}, err
	}
	return all[0], nil
}

// SetTotal changes the total of partitions to what a form says, and tells the result.
func (s *Reader) SetTotal(r *http.Request, v *visit.Visit) (result string, err error) {
	if err := visit.ParseForm(r); err != nil {
		return "", err
	}
	text := strings.TrimSpace(r.PostForm.Get("partitions"))
	n, err := strconv.Atoi(text)
	if err != nil {
		return "", visit.NotANumber("The total of partitions", text, "partitions")
	}
	_, err = s.Onboarding.Resize(r.Context(), v.Actor(), v.Fed.ID, n)
	return v.Fed.Name + " has " + ui.Plural(n, "partition", "partitions") +
		" now. Participants start their SuperNodes again to learn the new total.", err
}
