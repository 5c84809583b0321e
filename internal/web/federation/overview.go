package federation

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// tile is one partition.
type tile struct {
	n      int
	holder string // empty where the visitor may not know, or nobody holds it
	held   bool
	key    domain.NodeKey // ID 0 without one
	busy   bool
}

// overview is everything the page of a federation shows.
type overview struct {
	fedpage.Head
	tiles   []tile           // every partition; of a large federation only the visitor's own
	away    []domain.NodeRow // of a large federation: the first SuperNodes that are stuck, and the first that are offline
	free    []int
	running []waitingRun
	queue   []waitingRun
	last    []domain.Run
	waiting []domain.Request // oldest first
	resize  string           // kept input
	errs    ui.FormErrors
}

// waitingRun is a run that has not ended, with what it waits for.
type waitingRun struct {
	domain.Run
	wait runs.Wait
}

const (
	maxTiles = 200 // partitions that are shown one by one; a federation with more is summed up
	maxAway  = 5   // SuperNodes that the sum names, of those stuck and of those offline
	maxWaits = 5   // people who wait for a manager
)

// large reports whether a federation's partitions are summed up instead of shown one by one.
func large(fed domain.Federation) bool { return fed.TotalPartitions > maxTiles }

func (s *Pages) overview(ctx context.Context, v *visit.Visit) (overview, error) {
	head, err := s.Fed.Head(ctx, v, "overview")
	o := overview{Head: head, resize: ui.Itoa(v.Fed.TotalPartitions)}
	if err != nil {
		return o, err
	}
	all, err := s.Runs.List(ctx, domain.RunFilter{FederationID: v.Fed.ID, SeenBy: v.SeenBy(), Limit: 30})
	if err != nil {
		return o, err
	}
	if o.queue, err = s.queueOf(ctx, v); err != nil {
		return o, err
	}
	var newest domain.Run
	for _, run := range all {
		switch run.State {
		case domain.Queued:
		case domain.Starting, domain.Running:
			wait, err := s.Runs.WaitFor(ctx, run, v.SeenBy())
			if err != nil {
				return o, err
			}
			o.running = append(o.running, waitingRun{run, wait})
			newest = run
		default:
			if len(o.last) < 5 {
				o.last = append(o.last, run)
			}
		}
	}
	if err := s.partitions(ctx, v, &o, newest); err != nil || !head.Manager {
		return o, err
	}
	return o, s.waiting(ctx, v, &o)
}

// partitions adds what is shown of each partition, or of a large federation its sum and who is away.
func (s *Pages) partitions(ctx context.Context, v *visit.Visit, o *overview, run domain.Run) error {
	f := domain.NodeFilter{FederationID: v.Fed.ID, Limit: maxTiles}
	if !large(v.Fed) {
		rows, err := s.Onboarding.Nodes(ctx, f)
		if err != nil {
			return err
		}
		busy, err := s.Fed.Busy(ctx, run, rows)
		o.tiles = tilesOf(v, rows, busy)
		return err
	}
	if !v.Names() {
		return nil
	}
	for _, status := range []domain.NodeStatus{domain.NodeStuck, domain.NodeOffline} {
		if o.Tally.By[status] == 0 {
			continue
		}
		f.Status, f.Limit = status, maxAway
		rows, err := s.Onboarding.Nodes(ctx, f)
		if err != nil {
			return err
		}
		o.away = append(o.away, rows...)
	}
	return nil
}

// maxQueue bounds what the page shows of a queue.
const maxQueue = 50

func (s *Pages) queueOf(ctx context.Context, v *visit.Visit) (out []waitingRun, err error) {
	queue, err := s.Runs.Queue(ctx, v.Fed.ID)
	if err != nil {
		return nil, err
	}
	for i, run := range queue[:min(len(queue), maxQueue)] {
		w := waitingRun{Run: run}
		if i == 0 || !run.NotBefore.IsZero() { // the others wait for those before them
			if w.wait, err = s.Runs.WaitFor(ctx, run, v.SeenBy()); err != nil {
				return nil, err
			}
		}
		out = append(out, w)
	}
	return out, nil
}

// waiting adds what only managers see: who waits, and which partitions are free for them.
func (s *Pages) waiting(ctx context.Context, v *visit.Visit, o *overview) error {
	if o.Pending == 0 {
		return nil
	}
	var err error
	f := domain.RequestFilter{FederationID: v.Fed.ID, States: []domain.RequestState{domain.Pending}, Sort: domain.SortOldest, Limit: maxWaits}
	if o.waiting, err = s.Onboarding.List(ctx, f); err != nil {
		return err
	}
	if o.FreePartitions() > 0 {
		o.free, err = s.Onboarding.NextFree(ctx, v.Fed.ID, maxWaits)
	}
	return err
}

func tilesOf(v *visit.Visit, rows []domain.NodeRow, busy map[uint64]bool) []tile {
	out := make([]tile, v.Fed.TotalPartitions)
	for p := range out {
		out[p].n = p
	}
	for _, r := range rows {
		if r.Holder.Partition >= len(out) {
			continue // it was shrunk since
		}
		t := tile{n: r.Holder.Partition, held: true, key: r.Key, busy: busy[r.Key.NodeID] && r.Key.NodeID != 0}
		if v.Names() {
			t.holder = ui.HolderName(r.Holder)
		} else if r.Holder.PersonID == v.Person.ID {
			t.holder = "yours"
		}
		out[t.n] = t
	}
	return out
}

// Overview is the page of one federation.
func (s *Pages) Overview(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	return s.showFederation(w, r, v, http.StatusOK, nil)
}

func (s *Pages) showFederation(w http.ResponseWriter, r *http.Request, v *visit.Visit, status int, change func(*overview)) error {
	o, err := s.overview(r.Context(), v)
	if err != nil {
		return err
	}
	if change != nil {
		change(&o)
	}
	s.Render(w, r, v, status, ui.Page{Title: v.Fed.Name, Nav: "f", Events: "/f/" + v.Fed.Slug + "/events"}, federationPage(o))
	return nil
}

// Events keeps the page of the federation live.
func (s *Pages) Events(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	return s.Live.Follow(w, r, visit.Member, v, live.View{
		Topics: live.FederationTopics(v.Fed.ID),
		Share:  overviewShare(v),
		Poll:   live.PollActive,
		Gap:    live.SharedGap,
		Look: func(ctx context.Context, v *visit.Visit) ([]live.Region, []live.Signal, error) {
			fresh, err := s.freshFed(ctx, v)
			if err != nil {
				return nil, nil, err
			}
			o, err := s.overview(ctx, fresh)
			return []live.Region{
				{ID: "head", Body: fedpage.Header(o.Head)},
				{ID: "tabs", Body: fedpage.Tabs(o.Head)},
				{ID: "tiles", Body: partitionTiles(o)},
				{ID: "now", Body: nowPanel(o)},
				{ID: "waiting", Body: waitingPanel(o)},
				{ID: "last", Body: lastRuns(o)},
			}, nil, err
		},
	})
}

// overviewShare is the same for all who see the same page of a federation; participants see which partition is theirs.
func overviewShare(v *visit.Visit) string {
	if !v.Names() {
		return ""
	}
	return fmt.Sprint("federation ", v.Fed.ID, v.Manager())
}

// freshFed is the visit with the federation as it is now: its total may have changed since the stream began.
func (s *Pages) freshFed(ctx context.Context, v *visit.Visit) (*visit.Visit, error) {
	fed, err := s.Onboarding.FederationBySlug(ctx, v.Fed.Slug)
	now := *v
	now.Fed = fed
	return &now, err
}

// SuperLink starts or stops the federation's SuperLink.
func (s *Pages) SuperLink(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	var err error
	var result string
	switch r.PathValue("action") {
	case "start":
		err, result = s.Engines.Start(r.Context(), v.Actor(), v.Fed.ID), "The SuperLink is starting."
	case "stop":
		h, failed := s.Fed.Head(r.Context(), v, "")
		if failed != nil {
			return failed
		}
		if ok, err := s.Confirmed(w, r, v, fedpage.StopConfirmation(h)); err != nil || !ok {
			return err
		}
		err, result = s.Engines.Stop(r.Context(), v.Actor(), v.Fed.ID), "The SuperLink is stopping."
	default:
		return domain.Errorf(domain.NotFound, "A SuperLink is started or stopped, nothing else.")
	}
	if err != nil {
		return err
	}
	return s.Done(w, r, "/f/"+v.Fed.Slug, result)
}

// Resize changes the total of partitions from the page of the federation.
func (s *Pages) Resize(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	result, err := s.Fed.SetTotal(r, v)
	if err != nil {
		text := strings.TrimSpace(r.PostForm.Get("partitions"))
		errs, status, err := visit.FormError(err, "partitions")
		if err != nil {
			return err
		}
		return s.showFederation(w, r, v, status, func(o *overview) { o.errs, o.resize = errs, text })
	}
	return s.Done(w, r, "/f/"+v.Fed.Slug, result)
}
