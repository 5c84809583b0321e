package runs

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// deletedList is the page of a federation's deleted runs.
type deletedList struct {
	fedpage.Head
	runs []domain.Run
}

// Deleted is the list of deleted runs that can be restored.
func (s *Pages) Deleted(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	head, err := s.Fed.Head(r.Context(), v, "runs")
	if err != nil {
		return err
	}
	all, err := s.Runs.Deleted(r.Context(), v.Fed.ID)
	if err != nil {
		return err
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "Deleted runs · " + v.Fed.Name, Nav: "f"}, deletedPage(deletedList{head, all}))
	return nil
}

// namesShown is how many runs a question or a result names.
const namesShown = 8

func deletionWords(runs []domain.Run) string {
	names := make([]string, 0, namesShown)
	for _, run := range runs[:min(len(runs), namesShown)] {
		names = append(names, run.Name)
	}
	words := strings.Join(names, ", ")
	if more := len(runs) - len(names); more > 0 {
		words += fmt.Sprintf(" and %d more", more)
	}
	return words
}

// deletionConfirmation asks before runs are deleted.
func deletionConfirmation(fed domain.Federation, runs []domain.Run) visit.Confirmation {
	what, do := deletionWords(runs), "Delete run"
	if len(runs) > 1 {
		what, do = fmt.Sprintf("%d runs (%s)", len(runs), what), "Delete runs"
	}
	return visit.Confirmation{Do: do, Back: "/f/" + fed.Slug + "/runs", Words: fmt.Sprintf(
		"Delete %s? Metrics, log, files, receipt and links are removed after %d days. Until then, a manager can restore them.", what,
		domain.RunKeptDays)}
}

func deletionOf(r *http.Request, fedID int64) domain.RunDeletion {
	d := domain.RunDeletion{FederationID: fedID, Names: slices.Compact(slices.Sorted(slices.Values(r.PostForm["run"]))),
		Tag: domain.Line(r.PostForm.Get("tag"))}
	if state := r.PostForm.Get("state"); state != "" {
		d.States = []domain.RunState{domain.RunState(state)}
	}
	if days := strings.TrimSpace(r.PostForm.Get("days")); days != "" {
		var err error
		if d.Days, err = strconv.Atoi(days); err != nil {
			d.Days = -1 // refused, with the reason
		}
	}
	return d
}

// Delete deletes the runs that were picked, or those that a rule chooses. What is confirmed are the runs that the question is about: those
// that the rule would choose by then may be others.
func (s *Pages) Delete(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	d, back := deletionOf(r, v.Fed.ID), "/f/"+v.Fed.Slug+"/runs"
	all, err := s.Runs.ToDelete(r.Context(), d)
	if err == nil && len(all) == 0 {
		return s.Done(w, r, back, "No ended run matches.")
	}
	if err == nil && len(d.Names) == 0 {
		d = domain.RunDeletion{FederationID: v.Fed.ID, Names: namesOf(all)}
		r.PostForm = url.Values{"run": d.Names}
	}
	if err == nil {
		if ok, err := s.Confirmed(w, r, v, deletionConfirmation(v.Fed, all)); err != nil || !ok {
			return err
		}
		all, err = s.Runs.Delete(r.Context(), v.Actor(), d)
	}
	if err != nil {
		return err
	}
	words := deletionWords(all) + " deleted."
	if len(all) > 1 {
		words = fmt.Sprintf("%d runs deleted.", len(all))
	}
	undo := "/f/" + v.Fed.Slug + "/restore-runs?" + url.Values{"run": namesOf(all)}.Encode()
	if len(undo) > mostUndo {
		return s.Done(w, r, "/f/"+v.Fed.Slug+"/deleted-runs", words)
	}
	return s.DoneUndo(w, r, back, words, undo)
}

// mostUndo bounds the address that takes a deletion back; with more runs, the page of the deleted ones does.
const mostUndo = 700

func namesOf(all []domain.Run) []string {
	out := make([]string, len(all))
	for i, run := range all {
		out[i] = run.Name
	}
	return out
}

// Restore brings deleted runs back.
func (s *Pages) Restore(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	all, err := s.Runs.Restore(r.Context(), v.Actor(), v.Fed.ID, r.Form["run"])
	if err != nil {
		return err
	}
	if len(all) == 1 {
		return s.Done(w, r, "/f/"+v.Fed.Slug+"/runs/"+all[0].Name, all[0].Name+" is restored.")
	}
	return s.Done(w, r, "/f/"+v.Fed.Slug+"/runs", ui.Plural(len(all), "run", "runs")+" restored.")
}
