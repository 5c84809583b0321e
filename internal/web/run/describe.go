package run

import (
	"net/http"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/visit"
)

// Describe changes a run's note and tags, or takes the last change back.
func (s *Pages) Describe(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	run, err := s.Run(r.Context(), r, v)
	if err == nil {
		err = visit.ParseForm(r)
	}
	if err != nil {
		return err
	}
	to := "/f/" + v.Fed.Slug + "/runs/" + run.Name
	if r.PostForm.Get("undo") != "" {
		if _, err = s.Runs.UndoDescribe(r.Context(), v.Actor(), run.ID); domain.CodeOf(err) == domain.Conflict {
			return s.Done(w, r, to, visit.Problems(err)[0].Message)
		} else if err != nil {
			return err
		}
		return s.Done(w, r, to+"#config", "Note and tags are as they were.")
	}
	note, tags := r.PostForm.Get("note"), strings.Split(r.PostForm.Get("tags"), ",")
	if _, err = s.Runs.Describe(r.Context(), v.Actor(), run.ID, note, tags); err == nil {
		return s.Done(w, r, to+"?described=1#config", "")
	}
	errs, status, err := visit.FormError(err, "note", "tags")
	if err != nil {
		return err
	}
	return s.showRun(w, r, v, status, run, func(d *runDetail) { d.errs, d.run.Note, d.run.Tags = errs, note, tags })
}
