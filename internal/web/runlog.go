package web

import (
	"io"
	"net/http"
	"strconv"
)

const logLimit = 5000

func (s *server) runLog(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	from, limit := logRange(r)
	lines, total, err := s.Runs.Log(r.Context(), run, from, limit)
	if err != nil {
		return err
	}
	return writeJSON(w, r, logPage(lines, total))
}

// logRange reads which lines are asked for: from a number on, or with a negative one the last ones.
func logRange(r *http.Request) (from, limit int) {
	from, err := strconv.Atoi(r.URL.Query().Get("from"))
	if err != nil || from == 0 {
		from = 1
	}
	limit, err = strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 1 {
		limit = 1000
	}
	return from, min(limit, logLimit)
}

// runLogText gives the whole log out as a file.
func (s *server) runLogText(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", attachment(run.Name+".log"))
	for from := 1; ; {
		lines, _, err := s.Runs.Log(r.Context(), run, from, logLimit)
		if err != nil || len(lines) == 0 {
			return nil //nolint:nilerr // what was sent so far is what there is
		}
		for _, l := range lines {
			if _, err := io.WriteString(w, l.Text+"\n"); err != nil {
				return nil //nolint:nilerr // the browser went away
			}
		}
		from += len(lines)
	}
}
