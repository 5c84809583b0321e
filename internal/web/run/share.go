package run

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/run/rounds"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

const (
	sharedLooksMost = 600             // by one address in a minute: a live page asks for its charts and rounds with every change
	sharedGap       = 3 * time.Second // between two changes of a live page: more people may look than at one of ours
)

// Admit admits whoever has a link to a run, to this run and as nobody: names, notes and the log stay away.
func (s *Pages) Admit(do visit.Handler) visit.Handler {
	return func(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
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
func (s *Pages) sharedVisit(ctx context.Context, secret string, v *visit.Visit) (run domain.Run, err error) {
	v.Share, run, v.Fed, err = s.Runs.Shared(ctx, secret)
	v.Role, v.Mine, v.Base = domain.RoleNone, domain.Request{}, "/share/"+secret
	return run, err
}

// WithLog lets through where the link opens the log too.
func (s *Pages) WithLog(do visit.Handler) visit.Handler {
	return func(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
		if !v.Share.WithLog {
			return domain.Errorf(domain.NotFound, "This link does not open the log.").Fix("Ask the person who sent it.")
		}
		return do(w, r, v)
	}
}

// SharePage is the page that a link to a run opens.
func (s *Pages) SharePage(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	d, err := s.sharedDetail(r.Context(), v, r.PathValue("run"))
	if err != nil {
		return err
	}
	if d.view, err = s.Rounds.View(r.Context(), v, d.run, rounds.QueryOf(r)); err != nil {
		return err
	}
	p := ui.Page{Title: d.run.Name}
	if !d.run.State.Ended() {
		p.Events = v.Base + "/events"
	}
	s.Render(w, r, v, http.StatusOK, p, shareView(d, v.Share))
	return nil
}

// sharedDetail is the run without what its link does not open.
func (s *Pages) sharedDetail(ctx context.Context, v *visit.Visit, name string) (runDetail, error) {
	d, err := s.detail(ctx, v, name)
	d.base, d.run.Note = v.Base, ""
	if !v.Share.WithLog {
		d.run.Cause, d.failures, d.evidence = domain.Cause{}, nil, nil
	}
	return d, err
}

// ShareEvents keeps the page of a run that goes on live for as long as its link works; of one link, so many at once as of one address.
func (s *Pages) ShareEvents(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	run, err := s.Run(r.Context(), r, v)
	if err != nil {
		return err
	}
	secret, link := r.PathValue("secret"), fmt.Sprint("share ", v.Share.ID)
	if !s.Live.TakeSlot(link) {
		return domain.Errorf(domain.Limited, "Too many people watch this run live.").Fix("Load the page again for what is new.")
	}
	defer s.Live.GiveSlot(link)
	return s.Live.Follow(w, r, visit.Anyone, v, live.View{
		Topics: []string{live.RunTopic(run.ID)},
		Share:  link,
		Poll:   sharedGap,
		Gap:    sharedGap,
		Again: func(ctx context.Context) (*visit.Visit, error) {
			now := &visit.Visit{}
			_, err := s.sharedVisit(ctx, secret, now)
			return now, err
		},
		Quick: func(_ context.Context, e events.Event) (live.Signal, bool) {
			if e.Kind != "log" || e.Data == nil {
				return live.Signal{}, true
			}
			if !v.Share.WithLog {
				return live.Signal{}, false
			}
			return live.Signal{Name: "log", Data: e.Data}, false
		},
		Look: func(ctx context.Context, v *visit.Visit) ([]live.Region, []live.Signal, error) {
			return s.sharedLook(ctx, v, run.Name)
		},
	})
}

func (s *Pages) sharedLook(ctx context.Context, v *visit.Visit, name string) ([]live.Region, []live.Signal, error) {
	d, err := s.sharedDetail(ctx, v, name)
	if err != nil {
		return nil, nil, err
	}
	newest, err := s.newestMetric(ctx, d.run)
	if err != nil {
		return nil, nil, err
	}
	rounds, err := s.Rounds.RoundsVersion(ctx, d.run)
	if err != nil {
		return nil, nil, err
	}
	regions, signals := []live.Region{{ID: "head", Body: shareHead(d, v.Share)}},
		[]live.Signal{{Name: "metric", Data: newest}, {Name: "rounds", Data: rounds}}
	if !v.Share.WithLog {
		return regions, signals, nil
	}
	lines, err := s.Runs.LogFile(d.run).Total()
	return append(regions, live.Region{ID: "failure", Body: runFailure(d)}),
		append(signals, live.Signal{Name: "log", Data: runs.LogNews{Total: lines}}), err
}

// Share makes a link to a run; it is in this answer only.
func (s *Pages) Share(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	run, err := s.Run(r.Context(), r, v)
	if err == nil {
		err = visit.ParseForm(r)
	}
	if err != nil {
		return err
	}
	days, err := strconv.Atoi(r.PostForm.Get("days"))
	if err != nil {
		days = 0 // told as out of range
	}
	secret, _, err := s.Runs.Share(r.Context(), v.Actor(), run, days, r.PostForm.Get("log") != "")
	if err == nil {
		return s.showRun(w, r, v, http.StatusOK, run, func(d *runDetail) { d.newLink = s.Connection().PublicURL + "/share/" + secret })
	}
	errs, status, err := visit.FormError(err, "days")
	if err != nil {
		return err
	}
	return s.showRun(w, r, v, status, run, func(d *runDetail) { d.shareErrs = errs })
}

// RevokeShare revokes a link to a run.
func (s *Pages) RevokeShare(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	run, err := s.Run(r.Context(), r, v)
	if err == nil {
		err = visit.ParseForm(r)
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
	one, err := visit.WithID(all, "link", func(o domain.Share) bool { return o.ID == id })
	if err != nil {
		return err
	}
	if ok, err := s.Confirmed(w, r, v, revokeShareConfirmation(v.Fed, run, one)); err != nil || !ok {
		return err
	}
	if err := s.Runs.RevokeShare(r.Context(), v.Actor(), run, id); err != nil {
		return err
	}
	return s.Done(w, r, "/f/"+v.Fed.Slug+"/runs/"+run.Name+"#share", "The link works no more.")
}

func revokeShareConfirmation(fed domain.Federation, run domain.Run, v domain.Share) visit.Confirmation {
	return visit.Confirmation{Words: "Revoke the link to " + run.Name + " of " + ui.Exact(v.CreatedAt) +
		"? Everyone who has it is refused from now on.",
		Do: "Revoke link", Back: "/f/" + fed.Slug + "/runs/" + run.Name + "#share"}
}
