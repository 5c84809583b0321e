package run

import (
	"net/http"

	"blossomtune/internal/web/visit"
)

// LogPart answers questions about a run's log.
func (s *Pages) LogPart(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	run, err := s.Run(r.Context(), r, v)
	if err != nil {
		return err
	}
	return s.Logs.Serve(w, r, s.Runs.LogFile(run), run.Name, r.PathValue("kind"))
}
