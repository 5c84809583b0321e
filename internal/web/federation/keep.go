package federation

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// keepText is how long files are kept, as a form has it.
type keepText struct{ days, runs string }

func (s *Pages) keepText(ctx context.Context, fedID int64) (keepText, error) {
	k, err := s.Runs.KeepRule(ctx, fedID)
	text := func(n int) string {
		if n == 0 {
			return ""
		}
		return ui.Itoa(n)
	}
	return keepText{text(k.Days), text(k.Runs)}, err
}

// KeepArtifacts sets how long the federation keeps what ServerApps wrote.
func (s *Pages) KeepArtifacts(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	form := keepText{strings.TrimSpace(r.PostForm.Get("keep_days")), strings.TrimSpace(r.PostForm.Get("keep_runs"))}
	var errs domain.Errors
	number := func(text, what, field string) int {
		n, err := strconv.Atoi(text)
		if text != "" && err != nil {
			errs = errs.With(visit.NotANumber(what, text, field))
		}
		return n
	}
	k := domain.KeepRule{Days: number(form.days, "The days", "keep_days"), Runs: number(form.runs, "The runs", "keep_runs")}
	err := errs.OrNil()
	if err == nil {
		err = s.Runs.SetKeepRule(r.Context(), v.Actor(), v.Fed.ID, k)
	}
	if err == nil {
		return s.Done(w, r, "/f/"+v.Fed.Slug+"/settings", "How long files are kept is changed.")
	}
	bad, status, err := visit.FormError(err, "keep_days", "keep_runs")
	if err != nil {
		return err
	}
	sv, err := s.settingsView(r.Context(), v)
	if err != nil {
		return err
	}
	sv.keep, sv.keepErrs = form, bad
	s.Render(w, r, v, status, ui.Page{Title: "Settings · " + v.Fed.Name, Nav: "f"}, settingsPage(sv))
	return nil
}
