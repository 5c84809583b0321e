package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/runs"
)

const (
	sharedLooksMost = 600             // by one address in a minute: a live page asks for its charts and rounds with every change
	sharedGap       = 3 * time.Second // between two changes of a live page: more people may look than at one of ours
)

// shared admits whoever has a link to a run, to this run and as nobody: names, notes and the log stay away.
func (s *server) shared(do handle) handle {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		w.Header().Set("X-Robots-Tag", "noindex, nofollow")
		w.Header().Set("Referrer-Policy", "no-referrer") // the address is the secret
		if !s.shares.Allow(s.ClientAddress(r), s.Clock()) {
			return domain.Errorf(domain.Limited, "Too many looks from your address.").Fix("Wait a minute.")
		}
		run, err := s.sharedVisit(r.Context(), r.PathValue("secret"), v)
		if err != nil {
			return err
		}
		r.SetPathValue("run", run.Name)
		return do(w, r, v)
	}
}

// sharedVisit makes a visit one of the run that a link opens, whoever the visitor is.
func (s *server) sharedVisit(ctx context.Context, secret string, v *visit) (run domain.Run, err error) {
	v.share, run, v.fed, err = s.Runs.Shared(ctx, secret)
	v.role, v.mine, v.base = domain.RoleNone, domain.Request{}, "/share/"+secret
	return run, err
}

// sharedLog lets through where the link opens the log too.
func (s *server) sharedLog(do handle) handle {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		if !v.share.WithLog {
			return domain.Errorf(domain.NotFound, "This link does not open the log.").Fix("Ask the person who sent it.")
		}
		return do(w, r, v)
	}
}

func (s *server) sharePage(w http.ResponseWriter, r *http.Request, v *visit) error {
	d, err := s.sharedDetail(r.Context(), v, r.PathValue("run"))
	if err != nil {
		return err
	}
	if d.view, err = s.roundView(r.Context(), v, d.run, roundQueryOf(r)); err != nil {
		return err
	}
	p := page{title: d.run.Name}
	if !d.run.State.Ended() {
		p.events = v.base + "/events"
	}
	s.render(w, r, v, http.StatusOK, p, shareView(d, v.share))
	return nil
}

// sharedDetail is the run without what its link does not open.
func (s *server) sharedDetail(ctx context.Context, v *visit, name string) (runDetail, error) {
	d, err := s.detail(ctx, v, name)
	d.base, d.run.Note = v.base, ""
	if !v.share.WithLog {
		d.run.Cause, d.failures, d.evidence = domain.Cause{}, nil, nil
	}
	return d, err
}

// shareEvents keeps the page of a run that goes on live for as long as its link works; of one link, so many at once as of one address.
func (s *server) shareEvents(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	secret, link := r.PathValue("secret"), fmt.Sprint("share ", v.share.ID)
	if !s.takeSlot(link) {
		return domain.Errorf(domain.Limited, "Too many people watch this run live.").Fix("Load the page again for what is new.")
	}
	defer s.giveSlot(link)
	return s.follow(w, r, anyone, v, view{
		topics: []string{runTopic(run.ID)},
		share:  link,
		poll:   sharedGap,
		gap:    sharedGap,
		again: func(ctx context.Context) (*visit, error) {
			now := &visit{}
			_, err := s.sharedVisit(ctx, secret, now)
			return now, err
		},
		quick: func(_ context.Context, e events.Event) (signal, bool) {
			if e.Kind != "log" || e.Data == nil {
				return signal{}, true
			}
			if !v.share.WithLog {
				return signal{}, false
			}
			return signal{"log", e.Data}, false
		},
		look: func(ctx context.Context, v *visit) ([]region, []signal, error) { return s.sharedLook(ctx, v, run.Name) },
	})
}

func (s *server) sharedLook(ctx context.Context, v *visit, name string) ([]region, []signal, error) {
	d, err := s.sharedDetail(ctx, v, name)
	if err != nil {
		return nil, nil, err
	}
	newest, err := s.newestMetric(ctx, d.run)
	if err != nil {
		return nil, nil, err
	}
	rounds, err := s.roundsVersion(ctx, d.run)
	if err != nil {
		return nil, nil, err
	}
	regions, signals := []region{{"head", shareHead(d, v.share)}}, []signal{{"metric", newest}, {"rounds", rounds}}
	if !v.share.WithLog {
		return regions, signals, nil
	}
	lines, err := s.Runs.LogFile(d.run).Total()
	return append(regions, region{"failure", runFailure(d)}), append(signals, signal{"log", runs.LogNews{Total: lines}}), err
}

// shareRun makes a link to a run; it is in this answer only.
func (s *server) shareRun(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err == nil {
		err = parseForm(r)
	}
	if err != nil {
		return err
	}
	days, err := strconv.Atoi(r.PostForm.Get("days"))
	if err != nil {
		days = 0 // told as out of range
	}
	secret, _, err := s.Runs.Share(r.Context(), v.actor(), run, days, r.PostForm.Get("log") != "")
	if err == nil {
		return s.showRun(w, r, v, http.StatusOK, run, func(d *runDetail) { d.newLink = s.Connection().PublicURL + "/share/" + secret })
	}
	errs, status, err := formError(err, "days")
	if err != nil {
		return err
	}
	return s.showRun(w, r, v, status, run, func(d *runDetail) { d.shareErrs = errs })
}

func (s *server) revokeShare(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err == nil {
		err = parseForm(r)
	}
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(r.PostForm.Get("id"), 10, 64)
	if err != nil {
		return domain.Errorf(domain.Invalid, "%q is no link.", r.PostForm.Get("id"))
	}
	all, err := s.Runs.Shares(r.Context(), run)
	if err != nil {
		return err
	}
	one, err := withID(all, "link", func(o domain.Share) bool { return o.ID == id })
	if err != nil {
		return err
	}
	if ok, err := s.confirmed(w, r, v, revokeShareConfirmation(v.fed, run, one)); err != nil || !ok {
		return err
	}
	if err := s.Runs.RevokeShare(r.Context(), v.actor(), run, id); err != nil {
		return err
	}
	return s.done(w, r, "/f/"+v.fed.Slug+"/runs/"+run.Name+"#share", "The link works no more.")
}

func revokeShareConfirmation(fed domain.Federation, run domain.Run, v domain.Share) confirmation {
	return confirmation{"Revoke the link to " + run.Name + " of " + exact(v.CreatedAt) + "? Everyone who has it is refused from now on.",
		"Revoke link", "/f/" + fed.Slug + "/runs/" + run.Name + "#share"}
}
