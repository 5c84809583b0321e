package web

import (
	"net/http"
	"strings"

	"blossomtune/internal/domain"
)

// describeRun changes a run's note and tags, or takes the last change back.
func (s *server) describeRun(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err == nil {
		err = parseForm(r)
	}
	if err != nil {
		return err
	}
	to := "/f/" + v.fed.Slug + "/runs/" + run.Name
	if r.PostForm.Get("undo") != "" {
		if _, err = s.Runs.UndoDescribe(r.Context(), v.actor(), run.ID); domain.CodeOf(err) == domain.Conflict {
			return s.done(w, r, to, problems(err)[0].Message)
		} else if err != nil {
			return err
		}
		return s.done(w, r, to+"#config", "Note and tags are as they were.")
	}
	note, tags := r.PostForm.Get("note"), strings.Split(r.PostForm.Get("tags"), ",")
	if _, err = s.Runs.Describe(r.Context(), v.actor(), run.ID, note, tags); err == nil {
		return s.done(w, r, to+"?described=1#config", "")
	}
	errs, status, err := formError(err, "note", "tags")
	if err != nil {
		return err
	}
	return s.showRun(w, r, v, status, run, func(d *runDetail) { d.errs, d.run.Note, d.run.Tags = errs, note, tags })
}
