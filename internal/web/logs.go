package web

import (
	"context"
	"net/http"
	"strconv"

	"blossomtune/internal/domain"
)

// logView is the page of one part's log.
type logView struct {
	fedHead
	part  logPart
	parts []logPart
	runs  []domain.Run // the newest ones; their logs are on their pages
}

// logParts lists what of a federation has a log: the engine's parts, and the SuperNodes whose owners share theirs.
func (s *server) logParts(ctx context.Context, fedID int64) ([]logPart, error) {
	var out []logPart
	for _, p := range []logPart{{key: "superlink", name: "SuperLink"}, {key: "keeper", name: "Keeper"}} {
		p.part = p.key
		out = append(out, p)
		for n := 1; n <= s.Engines.OlderLogs(fedID, p.part); n++ {
			out = append(out, logPart{key: p.key + "." + itoa(n), name: p.name + ", older " + itoa(n), part: p.part, old: n})
		}
	}
	keys, err := s.Onboarding.NodeKeys(ctx, fedID)
	for _, k := range keys {
		if k.Seen.SharesLogs && k.RevokedAt.IsZero() {
			for _, p := range nodeParts(k) {
				p.key = "node-" + strconv.FormatInt(k.ID, 10) + "-" + p.part
				p.name = "Partition " + itoa(k.Partition) + " " + p.name
				out = append(out, p)
			}
		}
	}
	return out, err
}

func (s *server) logs(w http.ResponseWriter, r *http.Request, v *visit) error {
	parts, err := s.logParts(r.Context(), v.fed.ID)
	if err != nil {
		return err
	}
	l := logView{parts: parts, part: parts[0]}
	if p, err := findPart(parts, r.URL.Query().Get("part")); err == nil {
		l.part = p
	}
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
	parts, err := s.logParts(r.Context(), v.fed.ID)
	if err != nil {
		return err
	}
	part, err := findPart(parts, r.PathValue("part"))
	if err != nil {
		return err
	}
	return s.servePart(w, r, v, part)
}
