package web

import (
	"net/http"
	"strconv"

	"blossomtune/internal/domain"
)

// sharedLooksMost is how often one address may look at shared runs in a minute; a page asks for itself and its charts.
const sharedLooksMost = 120

// shared admits whoever has a link to a run, to this run and as nobody: names, notes and the log stay away.
func (s *server) shared(do handle) handle {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		w.Header().Set("X-Robots-Tag", "noindex, nofollow")
		w.Header().Set("Referrer-Policy", "no-referrer") // the address is the secret
		if !s.shares.Allow(s.ClientAddress(r), s.Clock()) {
			return domain.Errorf(domain.Limited, "Too many looks from your address.").Fix("Wait a minute.")
		}
		share, run, fed, err := s.Runs.Shared(r.Context(), r.PathValue("secret"))
		if err != nil {
			return err
		}
		v.share, v.fed, v.role, v.mine = share, fed, domain.RoleNone, domain.Request{}
		v.base = "/share/" + r.PathValue("secret")
		r.SetPathValue("run", run.Name)
		return do(w, r, v)
	}
}

// sharedLog lets through where the link opens the log too.
func (s *server) sharedLog(do handle) handle {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		if !v.share.WithLog {
			return domain.Errorf(domain.NotFound, "This link does not open the log.").Fix("Ask whoever gave it to you.")
		}
		return do(w, r, v)
	}
}

func (s *server) sharePage(w http.ResponseWriter, r *http.Request, v *visit) error {
	d, err := s.detail(r.Context(), v, r.PathValue("run"))
	if err != nil {
		return err
	}
	if d.view, err = s.roundView(r.Context(), v, d.run, roundQueryOf(r)); err != nil {
		return err
	}
	d.base, d.run.Note = v.base, ""
	if !v.share.WithLog {
		d.run.Cause, d.failures = domain.Cause{}, nil
		d.evidence = nil
	}
	s.render(w, r, v, http.StatusOK, page{title: d.run.Name}, shareView(d, v.share))
	return nil
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
	if err := s.Runs.RevokeShare(r.Context(), v.actor(), run, id); err != nil {
		return err
	}
	return s.done(w, r, "/f/"+v.fed.Slug+"/runs/"+run.Name+"#share", "The link works no more.")
}
