package web

import (
	"net/http"
	"strconv"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
)

// stopRun stops a run. One that was still queued is cancelled, which can be taken back.
// stopRunConfirmation asks before a run in progress is stopped.
func stopRunConfirmation(fed domain.Federation, run domain.Run) confirmation {
	return confirmation{"Stop " + run.Name + "? A stopped run cannot be resumed.", "Stop run", "/f/" + fed.Slug + "/runs/" + run.Name}
}

func (s *server) stopRun(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	to := "/f/" + v.fed.Slug + "/runs/" + run.Name
	queued := run.State == domain.Queued // cancelling is undone with one click
	if !queued && !run.State.Ended() {
		if ok, err := s.confirmed(w, r, v, stopRunConfirmation(v.fed, run)); err != nil || !ok {
			return err
		}
	}
	run, err = s.Runs.Stop(r.Context(), v.actor(), run.ID)
	switch {
	case domain.CodeOf(err) == domain.Conflict:
		return s.done(w, r, to, problems(err)[0].Message)
	case err != nil:
		return err
	case queued && run.State == domain.Stopped:
		return s.doneUndo(w, r, "/f/"+v.fed.Slug, run.Name+" is cancelled.", to+"/requeue")
	}
	return s.done(w, r, to, "")
}

// requeueRun takes the cancelling of a queued run back.
func (s *server) requeueRun(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	run, err = s.Runs.Requeue(r.Context(), v.actor(), run.ID)
	return s.afterQueue(w, r, v, run.Name+" is queued again.", err)
}

// moveRun gives a queued run another place.
func (s *server) moveRun(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	place, err := strconv.Atoi(r.PostForm.Get("place"))
	if err != nil {
		place = 0 // refused below, with the reason
	}
	_, err = s.Runs.Move(r.Context(), v.actor(), run.ID, place)
	return s.afterQueue(w, r, v, "", err)
}

// afterQueue goes back to the queue and tells there what became of an action, also when somebody was faster.
func (s *server) afterQueue(w http.ResponseWriter, r *http.Request, v *visit, result string, err error) error {
	if domain.CodeOf(err) == domain.Conflict {
		result = problems(err)[0].Message
	} else if err != nil {
		return err
	}
	return s.done(w, r, "/f/"+v.fed.Slug, result)
}

// runAgain launches a run once more, as it was, under the next Run ID. Where that cannot be, the launch form says why.
func (s *server) runAgain(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	again, err := s.Runs.Clone(r.Context(), v.actor(), run.ID, runs.Changes{})
	switch domain.CodeOf(err) {
	case "":
		return s.done(w, r, "/f/"+v.fed.Slug+"/runs/"+again.Name, "")
	case domain.Invalid, domain.Conflict:
		return s.done(w, r, "/f/"+v.fed.Slug+"/launch?from="+run.Name, problems(err)[0].Message+" "+problems(err)[0].Remedy)
	}
	return err
}
