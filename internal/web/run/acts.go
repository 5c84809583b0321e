package run

import (
	"fmt"
	"net/http"
	"strconv"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/visit"
)

// stopRun stops a run. One that was still queued is cancelled, which can be taken back.
// stopRunConfirmation asks before a run in progress is stopped.
func stopRunConfirmation(fed domain.Federation, run domain.Run) visit.Confirmation {
	return visit.Confirmation{Words: "Stop " + run.Name + "? A stopped run cannot be resumed.", Do: "Stop run", Back: "/f/" + fed.Slug +
		"/runs/" + run.Name}
}

// deleteRunConfirmation is the question in the dialog; the page of the deletion asks where there is no script.
func deleteRunConfirmation(run domain.Run) visit.Confirmation {
	return visit.Confirmation{Do: "Delete run", Words: fmt.Sprintf("Delete %s? Its metrics, log, files, receipt and links are removed after "+
		"%d days. Until then, a manager can restore it.", run.Name, domain.RunKeptDays)}
}

// Stop stops a run, or takes it out of the queue.
func (s *Pages) Stop(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	run, err := s.Run(r.Context(), r, v)
	if err != nil {
		return err
	}
	to := "/f/" + v.Fed.Slug + "/runs/" + run.Name
	queued := run.State == domain.Queued // cancelling is undone with one click
	if !queued && !run.State.Ended() {
		if ok, err := s.Confirmed(w, r, v, stopRunConfirmation(v.Fed, run)); err != nil || !ok {
			return err
		}
	}
	run, err = s.Runs.Stop(r.Context(), v.Actor(), run.ID)
	switch {
	case domain.CodeOf(err) == domain.Conflict:
		return s.Done(w, r, to, visit.Problems(err)[0].Message)
	case err != nil:
		return err
	case queued && run.State == domain.Stopped:
		return s.DoneUndo(w, r, "/f/"+v.Fed.Slug, run.Name+" is cancelled.", to+"/requeue")
	}
	return s.Done(w, r, to, "")
}

// Requeue takes the cancelling of a queued run back.
func (s *Pages) Requeue(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	run, err := s.Run(r.Context(), r, v)
	if err != nil {
		return err
	}
	run, err = s.Runs.Requeue(r.Context(), v.Actor(), run.ID)
	return s.afterQueue(w, r, v, run.Name+" is queued again.", err)
}

// Move gives a queued run another place.
func (s *Pages) Move(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	run, err := s.Run(r.Context(), r, v)
	if err != nil {
		return err
	}
	place, err := strconv.Atoi(r.PostForm.Get("place"))
	if err != nil {
		place = 0 // refused below, with the reason
	}
	_, err = s.Runs.Move(r.Context(), v.Actor(), run.ID, place)
	return s.afterQueue(w, r, v, "", err)
}

// afterQueue goes back to the queue and tells there what became of an action, also when somebody was faster.
func (s *Pages) afterQueue(w http.ResponseWriter, r *http.Request, v *visit.Visit, result string, err error) error {
	if domain.CodeOf(err) == domain.Conflict {
		result = visit.Problems(err)[0].Message
	} else if err != nil {
		return err
	}
	return s.Done(w, r, "/f/"+v.Fed.Slug, result)
}

// Again launches a run once more, as it was, under the next Run ID. Where that cannot be, the launch form says why.
func (s *Pages) Again(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	run, err := s.Run(r.Context(), r, v)
	if err != nil {
		return err
	}
	again, err := s.Runs.Clone(r.Context(), v.Actor(), run.ID, runs.Changes{})
	switch domain.CodeOf(err) {
	case "":
		return s.Done(w, r, "/f/"+v.Fed.Slug+"/runs/"+again.Name, "")
	case domain.Invalid, domain.Conflict:
		return s.Done(w, r, "/f/"+v.Fed.Slug+"/launch?from="+run.Name, visit.Problems(err)[0].Message+" "+visit.Problems(err)[0].Remedy)
	}
	return err
}
