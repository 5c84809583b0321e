package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
)

// fedHead is what the head and the tabs of all pages of one federation show.
type fedHead struct {
	fed     domain.Federation
	link    domain.SuperLink
	nodes   domain.NodeCount
	pending int
	manager bool
	active  int // runs that would end with the SuperLink
	tab     string
}

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
	tiles   []tile
	free    []int
	running []waitingRun
	queue   []waitingRun
	last    []domain.Run
	waiting []domain.Request // oldest first
	resize  string           // kept input
	errs    formErrors
	more    int // partitions without a tile
}

// waitingRun is a run that has not ended, with what it waits for.
type waitingRun struct {
	domain.Run
	wait runs.Wait
}

// maxTiles bounds the page of a large federation; the table of SuperNodes has all.
const maxTiles = 200

func (s *server) head(ctx context.Context, v *visit, tab string) (fedHead, error) {
	h := fedHead{fed: v.fed, link: s.Engines.Status(v.fed.ID), manager: v.manager(), tab: tab}
	fed, err := s.Onboarding.FederationBySlug(ctx, v.fed.Slug)
	if err != nil {
		return h, err
	}
	h.fed = fed
	h.link.Idle = fed.EngineIdle && h.link.State == domain.SuperLinkStopped
	if h.nodes, err = s.Onboarding.CountNodes(ctx, v.fed.ID); err != nil {
		return h, err
	}
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

func (s *server) overview(ctx context.Context, v *visit) (overview, error) {
	head, err := s.head(ctx, v, "overview")
	o := overview{fedHead: head, resize: itoa(v.fed.TotalPartitions)}
	if err != nil {
		return o, err
	}
	keys, err := s.Onboarding.NodeKeys(ctx, v.fed.ID)
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
	busy := map[uint64]bool{}
	for _, run := range all {
		switch run.State {
		case domain.Queued:
		case domain.Starting, domain.Running:
			wait, err := s.Runs.WaitFor(ctx, run, v.seenBy())
			if err != nil {
				return o, err
			}
			o.running = append(o.running, waitingRun{run, wait})
			if busy, err = s.inRound(ctx, run); err != nil {
				return o, err
			}
		default:
			if len(o.last) < 5 {
				o.last = append(o.last, run)
			}
		}
	}
	holders, err := s.Onboarding.Holders(ctx, v.fed.ID)
	if err != nil {
		return o, err
	}
	o.tiles, o.more = tilesOf(v, holders, keys, busy)
	if !head.manager {
		return o, nil
	}
	return o, s.waiting(ctx, v, &o)
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
	pending, err := s.Onboarding.List(ctx, domain.RequestFilter{FederationID: v.fed.ID, States: []domain.RequestState{domain.Pending}, Limit: 500})
	if err != nil {
		return err
	}
	for i := len(pending) - 1; i >= 0 && len(o.waiting) < 5; i-- {
		o.waiting = append(o.waiting, pending[i])
	}
	o.free, err = s.Onboarding.NextFree(ctx, v.fed.ID, 5)
	return err
}

func tilesOf(v *visit, holders map[int]domain.Request, keys []domain.NodeKey, busy map[uint64]bool) ([]tile, int) {
	byPartition := map[int]domain.NodeKey{}
	for _, k := range keys {
		if k.RevokedAt.IsZero() {
			byPartition[k.Partition] = k
		}
	}
	total := min(v.fed.TotalPartitions, maxTiles)
	out := make([]tile, total)
	for p := range total {
		req, held := holders[p]
		t := tile{n: p, held: held}
		if held {
			t.key = byPartition[p]
			t.busy = busy[t.key.NodeID] && t.key.NodeID != 0
			if v.names() {
				t.holder = holderName(req)
			} else if req.PersonID == v.person.ID {
				t.holder = "yours"
			}
		}
		out[p] = t
	}
	return out, v.fed.TotalPartitions - total
}

// holderName is how a participant is shown to managers and viewers.
func holderName(r domain.Request) string {
	if r.Organisation != "" {
		return r.Organisation
	}
	return r.Name
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
		poll:   pollActive,
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

func fedTopics(id int64) []string {
	return []string{settingsTopic(id), requestsTopic(id), runsTopic(id), superLinkTopic(id)}
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

func (s *server) resize(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	text := strings.TrimSpace(r.PostForm.Get("partitions"))
	n, err := strconv.Atoi(text)
	if err != nil {
		err = notANumber("The total of partitions", text, "partitions")
	} else {
		_, err = s.Onboarding.Resize(r.Context(), v.actor(), v.fed.ID, n)
	}
	fromRequests := r.PostForm.Get("back") == "requests"
	if err != nil && fromRequests {
		return s.decideFailed(w, r, v, domain.Request{}, err)
	}
	if err != nil {
		errs, status, err := formError(err, "partitions")
		if err != nil {
			return err
		}
		return s.showFederation(w, r, v, status, func(o *overview) { o.errs, o.resize = errs, text })
	}
	back := "/f/" + v.fed.Slug
	if fromRequests {
		back = s.backTo(r, v)
	}
	return s.done(w, r, back, v.fed.Name+" has "+plural(n, "partition", "partitions")+" now. Participants start their SuperNodes again to learn the new total.")
}
