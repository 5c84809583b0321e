package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
)

// logView is the page of one part's log.
type logView struct {
	fedHead
	part  logPart
	parts []logPart
	runs  []domain.Run // the newest ones; their logs are on their pages
}

// logPart is a part of a federation that has a log, or one of its older files.
type logPart struct {
	key  string // in addresses: "superlink", "superlink.1"
	name string
}

// file is the part's key without its older file, and which one that is.
func (p logPart) file() (key string, older int) {
	key, n, _ := strings.Cut(p.key, ".")
	older, _ = strconv.Atoi(n) // what is no number is the log itself
	return key, older
}

func (p logPart) base(fed domain.Federation) string {
	return "/f/" + fed.Slug + "/logs/" + url.PathEscape(p.key)
}

// logParts lists what has a log.
func (s *server) logParts(fedID int64) []logPart {
	var out []logPart
	for _, p := range []logPart{{"superlink", "SuperLink"}, {"keeper", "Keeper"}} {
		out = append(out, p)
		for n := 1; n <= s.Engines.OlderLogs(fedID, p.key); n++ {
			name := p.name + ", before"
			if n > 1 {
				name += " " + itoa(n)
			}
			out = append(out, logPart{p.key + "." + itoa(n), name})
		}
	}
	return out
}

func (s *server) partOf(fedID int64, key string) (logPart, []logPart, error) {
	parts := s.logParts(fedID)
	i := slices.IndexFunc(parts, func(p logPart) bool { return p.key == key })
	if i < 0 {
		return logPart{}, parts, domain.Errorf(domain.NotFound, "There is no log %q.", key)
	}
	return parts[i], parts, nil
}

func (s *server) logs(w http.ResponseWriter, r *http.Request, v *visit) error {
	part, parts, err := s.partOf(v.fed.ID, r.URL.Query().Get("part"))
	if err != nil {
		part = parts[0]
	}
	l := logView{part: part, parts: parts}
	if l.fedHead, err = s.head(r.Context(), v, "logs"); err != nil {
		return err
	}
	if l.runs, err = s.Runs.List(r.Context(), domain.RunFilter{FederationID: v.fed.ID, Limit: 10}); err != nil {
		return err
	}
	s.render(w, r, v, http.StatusOK, page{title: "Logs · " + v.fed.Name, nav: "f"}, logsPage(l))
	return nil
}

// partLog answers questions about a part's log.
func (s *server) partLog(w http.ResponseWriter, r *http.Request, v *visit) error {
	part, _, err := s.partOf(v.fed.ID, r.PathValue("part"))
	if err != nil {
		return err
	}
	f, err := s.partFile(r.Context(), v.fed.ID, part)
	if err != nil {
		return err
	}
	return s.serveLog(w, r, f, v.fed.Slug+"-"+part.key, r.PathValue("kind"))
}

func (s *server) partFile(_ context.Context, fedID int64, part logPart) (*logfile.File, error) {
	key, older := part.file()
	return s.Engines.Log(fedID, key, older)
}
