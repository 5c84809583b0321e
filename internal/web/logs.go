package web

import (
	"net/http"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
)

// logView is the page of one part's log.
type logView struct {
	fedHead
	part string
}

// logParts are the parts of an engine that have a log.
var logParts = []struct{ key, name string }{{"superlink", "SuperLink"}, {"keeper", "Keeper"}}

func partName(key string) string {
	for _, p := range logParts {
		if p.key == key {
			return p.name
		}
	}
	return ""
}

func (s *server) logs(w http.ResponseWriter, r *http.Request, v *visit) error {
	part := r.URL.Query().Get("part")
	if partName(part) == "" {
		part = logParts[0].key
	}
	head, err := s.head(r.Context(), v, "logs")
	if err != nil {
		return err
	}
	s.render(w, r, v, http.StatusOK, page{title: "Logs · " + v.fed.Name, nav: "f"}, logsPage(logView{fedHead: head, part: part}))
	return nil
}

// engineLog gives out lines of a part's log, or with .txt the newest ones as a file.
func (s *server) engineLog(w http.ResponseWriter, r *http.Request, v *visit) error {
	name := r.PathValue("file")
	part, kind, _ := strings.Cut(name, ".")
	if partName(part) == "" || kind != "json" {
		return domain.Errorf(domain.NotFound, "There is no log %q.", name)
	}
	f, err := s.Engines.Log(v.fed.ID, part)
	if err != nil {
		return err
	}
	from, limit := logRange(r)
	if from < 0 {
		total, err := f.Total()
		if err != nil {
			return err
		}
		from = max(total+1+from, 1)
	}
	lines, total, err := f.Lines(from, limit)
	if err != nil {
		return err
	}
	return writeJSON(w, r, logPage(lines, total))
}

func logPage(lines []logfile.Line, total int) map[string]any {
	if lines == nil {
		lines = []logfile.Line{}
	}
	return map[string]any{"lines": lines, "total": total}
}
