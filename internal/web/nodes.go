package web

import (
	"context"
	"net/http"
	"slices"

	"blossomtune/internal/domain"
)

// nodeLine is one SuperNode with its participant.
type nodeLine struct {
	key    domain.NodeKey
	holder domain.Request
	busy   bool
}

type nodeList struct {
	fedHead
	lines   []nodeLine
	waiting []domain.Request // approved, without a key
	flwr    string           // the version that runs need
}

func (s *server) nodeList(ctx context.Context, v *visit) (nodeList, error) {
	head, err := s.head(ctx, v, "nodes")
	l := nodeList{fedHead: head, flwr: s.Connection().Flwr}
	if err != nil {
		return l, err
	}
	keys, err := s.Onboarding.NodeKeys(ctx, v.fed.ID)
	if err != nil {
		return l, err
	}
	run, err := s.runningRun(ctx, v.fed.ID, 0)
	if err != nil {
		return l, err
	}
	busy := map[uint64]bool{}
	if run.ID != 0 {
		if busy, err = s.inRound(ctx, run); err != nil {
			return l, err
		}
	}
	holders, err := s.Onboarding.Holders(ctx, v.fed.ID)
	if err != nil {
		return l, err
	}
	connected := map[int64]bool{}
	for _, k := range keys {
		line := nodeLine{key: k, busy: k.NodeID != 0 && busy[k.NodeID]}
		if line.holder, err = s.Onboarding.Request(ctx, k.RequestID); err != nil {
			return l, err
		}
		connected[k.RequestID] = connected[k.RequestID] || k.RevokedAt.IsZero()
		l.lines = append(l.lines, line)
	}
	slices.SortStableFunc(l.lines, func(a, b nodeLine) int {
		if ra, rb := a.key.RevokedAt.IsZero(), b.key.RevokedAt.IsZero(); ra != rb {
			if ra {
				return -1
			}
			return 1
		}
		return a.key.Partition - b.key.Partition
	})
	for p := range v.fed.TotalPartitions {
		if h, held := holders[p]; held && !connected[h.ID] {
			l.waiting = append(l.waiting, h)
		}
	}
	return l, nil
}

func (s *server) nodes(w http.ResponseWriter, r *http.Request, v *visit) error {
	l, err := s.nodeList(r.Context(), v)
	if err != nil {
		return err
	}
	s.render(w, r, v, http.StatusOK, page{title: "SuperNodes · " + v.fed.Name, nav: "f", events: "/f/" + v.fed.Slug + "/nodes/events"}, nodesPage(l))
	return nil
}

func (s *server) nodesEvents(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.follow(w, r, aManager, v, view{
		topics: fedTopics(v.fed.ID),
		poll:   pollActive,
		look: func(ctx context.Context, v *visit) ([]region, []signal, error) {
			l, err := s.nodeList(ctx, v)
			return []region{{"head", federationHead(l.fedHead)}, {"tabs", federationTabs(l.fedHead)}, {"nodes", nodesPanel(l)}}, nil, err
		},
	})
}

// suspend makes a SuperNode wait; it goes on by itself when it is resumed.
func (s *server) suspend(w http.ResponseWriter, r *http.Request, v *visit) error {
	req, err := s.nodeOf(r, v)
	if err != nil {
		return err
	}
	if _, err := s.Onboarding.Suspend(r.Context(), v.actor(), req.ID, r.PostForm.Get("reason")); err != nil {
		return err
	}
	return s.done(w, r, "/f/"+v.fed.Slug+"/nodes", req.Name+" is suspended and told why.")
}

func (s *server) resume(w http.ResponseWriter, r *http.Request, v *visit) error {
	req, err := s.nodeOf(r, v)
	if err != nil {
		return err
	}
	if _, err := s.Onboarding.Resume(r.Context(), v.actor(), req.ID); err != nil {
		return err
	}
	return s.done(w, r, "/f/"+v.fed.Slug+"/nodes", req.Name+" goes on within half a minute.")
}

func (s *server) nodeOf(r *http.Request, v *visit) (domain.Request, error) {
	if err := parseForm(r); err != nil {
		return domain.Request{}, err
	}
	chosen, err := s.mineOnly(r.Context(), v, r.PostForm["id"])
	if err != nil {
		return domain.Request{}, err
	}
	return chosen[0], nil
}
