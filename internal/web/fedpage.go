package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
)

// fedHead is what the head and the tabs of all pages of one federation show.
type fedHead struct {
	fed     domain.Federation
	link    domain.SuperLink
	nodes   domain.NodeCount
	tally   domain.NodeTally
	pending int
	manager bool
	active  int // runs that would end with the SuperLink
	tab     string
}

func (s *server) head(ctx context.Context, v *visit, tab string) (fedHead, error) {
	h := fedHead{fed: v.fed, link: s.Engines.Status(v.fed.ID), manager: v.manager(), tab: tab}
	fed, err := s.Onboarding.FederationBySlug(ctx, v.fed.Slug)
	if err != nil {
		return h, err
	}
	h.fed = fed
	h.link.Idle = fed.EngineIdle && h.link.State == domain.SuperLinkStopped
	if h.tally, err = s.Onboarding.NodeTally(ctx, v.fed.ID); err != nil {
		return h, err
	}
	h.nodes = h.tally.Count()
	active, err := s.Runs.List(ctx, domain.RunFilter{FederationID: v.fed.ID, States: []domain.RunState{domain.Starting, domain.Running}})
	if err != nil {
		return h, err
	}
	h.active = len(active)
	if h.manager {
		h.pending, err = s.Onboarding.CountChosen(ctx, domain.RequestFilter{FederationID: v.fed.ID, States: []domain.RequestState{domain.Pending}})
	}
	return h, err
}

// freePartitions is how many partitions nobody holds.
func (h fedHead) freePartitions() int { return max(h.fed.TotalPartitions-h.tally.Approved, 0) }

// busyAmong tells which of some SuperNodes were asked in the newest round of a run and have not replied.
func (s *server) busyAmong(ctx context.Context, run domain.Run, rows []domain.NodeRow) (map[uint64]bool, error) {
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

// runningRun returns the federation's newest run that has a ServerApp, or none; with a person of those that this participant may see.
func (s *server) runningRun(ctx context.Context, fedID, personID int64) (domain.Run, error) {
	all, err := s.Runs.List(ctx, domain.RunFilter{FederationID: fedID, SeenBy: personID, States: []domain.RunState{domain.Starting, domain.Running}, Limit: 1})
	if err != nil || len(all) == 0 {
		return domain.Run{}, err
	}
	return all[0], nil
}

// setTotal changes the total of partitions to what a form says, and tells the result.
func (s *server) setTotal(r *http.Request, v *visit) (result string, err error) {
	if err := parseForm(r); err != nil {
		return "", err
	}
	text := strings.TrimSpace(r.PostForm.Get("partitions"))
	n, err := strconv.Atoi(text)
	if err != nil {
		return "", notANumber("The total of partitions", text, "partitions")
	}
	_, err = s.Onboarding.Resize(r.Context(), v.actor(), v.fed.ID, n)
	return v.fed.Name + " has " + plural(n, "partition", "partitions") + " now. Participants start their SuperNodes again to learn the new total.", err
}
