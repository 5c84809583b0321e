package web

import "net/http"

// runLog answers questions about a run's log.
func (s *server) runLog(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	return s.serveLog(w, r, s.Runs.LogFile(run), run.Name, r.PathValue("kind"))
}
