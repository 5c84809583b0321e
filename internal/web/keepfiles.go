package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
)

// keepText is how long files are kept, as a form has it.
type keepText struct{ days, runs string }

func (s *server) keepText(ctx context.Context, fedID int64) (keepText, error) {
	k, err := s.Runs.KeepRule(ctx, fedID)
	text := func(n int) string {
		if n == 0 {
			return ""
		}
		return itoa(n)
	}
	return keepText{text(k.Days), text(k.Runs)}, err
}

// keepArtifacts sets how long the federation keeps what ServerApps wrote.
func (s *server) keepArtifacts(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	form := keepText{strings.TrimSpace(r.PostForm.Get("keep_days")), strings.TrimSpace(r.PostForm.Get("keep_runs"))}
	var errs domain.Errors
	number := func(text, what, field string) int {
		n, err := strconv.Atoi(text)
		if text != "" && err != nil {
			errs = errs.With(notANumber(what, text, field))
		}
		return n
	}
	k := domain.KeepRule{Days: number(form.days, "The days", "keep_days"), Runs: number(form.runs, "The runs", "keep_runs")}
	err := errs.OrNil()
	if err == nil {
		err = s.Runs.SetKeepRule(r.Context(), v.actor(), v.fed.ID, k)
	}
	if err == nil {
		return s.done(w, r, "/f/"+v.fed.Slug+"/settings", "How long files are kept is changed.")
	}
	bad, status, err := formError(err, "keep_days", "keep_runs")
	if err != nil {
		return err
	}
	sv, err := s.settingsView(r.Context(), v)
	if err != nil {
		return err
	}
	sv.keep, sv.keepErrs = form, bad
	s.render(w, r, v, status, page{title: "Settings · " + v.fed.Name, nav: "f"}, settingsPage(sv))
	return nil
}
