package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
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
	fedHead
	tiles   []tile           // every partition; of a large federation only the visitor's own
	away    []domain.NodeRow // of a large federation: the first SuperNodes that are stuck, and the first that are offline
	free    []int
	running []waitingRun
	queue   []waitingRun
	last    []domain.Run
	waiting []domain.Request // oldest first
	resize  string           // kept input
	errs    formErrors
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

func (s *server) overview(ctx context.Context, v *visit) (overview, error) {
	head, err := s.head(ctx, v, "overview")
	o := overview{fedHead: head, resize: itoa(v.fed.TotalPartitions)}
	if err != nil {
		return o, err
	}
	all, err := s.Runs.List(ctx, domain.RunFilter{FederationID: v.fed.ID, SeenBy: v.seenBy(), Limit: 30})
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
			wait, err := s.Runs.WaitFor(ctx, run, v.seenBy())
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
	if err := s.partitions(ctx, v, &o, newest); err != nil || !head.manager {
		return o, err
	}
	return o, s.waiting(ctx, v, &o)
}

// partitions adds what is shown of each partition, or of a large federation its sum and who is away.
func (s *server) partitions(ctx context.Context, v *visit, o *overview, run domain.Run) error {
	f := domain.NodeFilter{FederationID: v.fed.ID, Limit: maxTiles}
	if !large(v.fed) {
		rows, err := s.Onboarding.Nodes(ctx, f)
		if err != nil {
			return err
		}
		busy, err := s.busyAmong(ctx, run, rows)
		o.tiles = tilesOf(v, rows, busy)
		return err
	}
	if !v.names() {
		return nil
	}
	for _, status := range []domain.NodeStatus{domain.NodeStuck, domain.NodeOffline} {
		if o.tally.By[status] == 0 {
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

func (s *server) queueOf(ctx context.Context, v *visit) (out []waitingRun, err error) {
	queue, err := s.Runs.Queue(ctx, v.fed.ID)
	if err != nil {
		return nil, err
	}
	for i, run := range queue[:min(len(queue), maxQueue)] {
		w := waitingRun{Run: run}
		if i == 0 || !run.NotBefore.IsZero() { // the others wait for those before them
			if w.wait, err = s.Runs.WaitFor(ctx, run, v.seenBy()); err != nil {
				return nil, err
			}
		}
		out = append(out, w)
	}
	return out, nil
}

// waiting adds what only managers see: who waits, and which partitions are free for them.
func (s *server) waiting(ctx context.Context, v *visit, o *overview) error {
	if o.pending == 0 {
		return nil
	}
	var err error
	f := domain.RequestFilter{FederationID: v.fed.ID, States: []domain.RequestState{domain.Pending}, Sort: domain.SortOldest, Limit: maxWaits}
	if o.waiting, err = s.Onboarding.List(ctx, f); err != nil {
		return err
	}
	if o.freePartitions() > 0 {
		o.free, err = s.Onboarding.NextFree(ctx, v.fed.ID, maxWaits)
	}
	return err
}

func tilesOf(v *visit, rows []domain.NodeRow, busy map[uint64]bool) []tile {
	out := make([]tile, v.fed.TotalPartitions)
	for p := range out {
		out[p].n = p
	}
	for _, r := range rows {
		if r.Holder.Partition >= len(out) {
			continue // it was shrunk since
		}
		t := tile{n: r.Holder.Partition, held: true, key: r.Key, busy: busy[r.Key.NodeID] && r.Key.NodeID != 0}
		if v.names() {
			t.holder = holderName(r.Holder)
		} else if r.Holder.PersonID == v.person.ID {
			t.holder = "yours"
		}
		out[t.n] = t
	}
	return out
}

func (s *server) federation(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.showFederation(w, r, v, http.StatusOK, nil)
}

func (s *server) showFederation(w http.ResponseWriter, r *http.Request, v *visit, status int, change func(*overview)) error {
	o, err := s.overview(r.Context(), v)
	if err != nil {
		return err
	}
	if change != nil {
		change(&o)
	}
	s.render(w, r, v, status, page{title: v.fed.Name, nav: "f", events: "/f/" + v.fed.Slug + "/events"}, federationPage(o))
	return nil
}

func (s *server) federationEvents(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.follow(w, r, aMember, v, view{
		topics: fedTopics(v.fed.ID),
		share:  overviewShare(v),
		poll:   pollActive,
		gap:    nodesGap,
		look: func(ctx context.Context, v *visit) ([]region, []signal, error) {
			fresh, err := s.freshFed(ctx, v)
			if err != nil {
				return nil, nil, err
			}
			o, err := s.overview(ctx, fresh)
			return []region{{"head", federationHead(o.fedHead)}, {"tabs", federationTabs(o.fedHead)}, {"tiles", partitionTiles(o)}, {"now", nowPanel(o)}, {"waiting", waitingPanel(o)}, {"last", lastRuns(o)}}, nil, err
		},
	})
}

// overviewShare is the same for all who see the same page of a federation; participants see which partition is theirs.
func overviewShare(v *visit) string {
	if !v.names() {
		return ""
	}
	return fmt.Sprint("federation ", v.fed.ID, v.manager())
}

// freshFed is the visit with the federation as it is now: its total may have changed since the stream began.
func (s *server) freshFed(ctx context.Context, v *visit) (*visit, error) {
	fed, err := s.Onboarding.FederationBySlug(ctx, v.fed.Slug)
	now := *v
	now.fed = fed
	return &now, err
}

// superLink starts or stops the federation's SuperLink.
func (s *server) superLink(w http.ResponseWriter, r *http.Request, v *visit) error {
	var err error
	var result string
	switch r.PathValue("action") {
	case "start":
		err, result = s.Engines.Start(r.Context(), v.actor(), v.fed.ID), "The SuperLink is starting."
	case "stop":
		h, failed := s.head(r.Context(), v, "")
		if failed != nil {
			return failed
		}
		if ok, err := s.confirmed(w, r, v, stopConfirmation(h)); err != nil || !ok {
			return err
		}
		err, result = s.Engines.Stop(r.Context(), v.actor(), v.fed.ID), "The SuperLink is stopping."
	default:
		return domain.Errorf(domain.NotFound, "A SuperLink is started or stopped, nothing else.")
	}
	if err != nil {
		return err
	}
	return s.done(w, r, "/f/"+v.fed.Slug, result)
}

// resize changes the total of partitions from the page of the federation.
func (s *server) resizeHere(w http.ResponseWriter, r *http.Request, v *visit) error {
	result, err := s.setTotal(r, v)
	if err != nil {
		text := strings.TrimSpace(r.PostForm.Get("partitions"))
		errs, status, err := formError(err, "partitions")
		if err != nil {
			return err
		}
		return s.showFederation(w, r, v, status, func(o *overview) { o.errs, o.resize = errs, text })
	}
	return s.done(w, r, "/f/"+v.fed.Slug, result)
}
