package federation

import (
	"context"
	"net/http"
	"strconv"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/logview"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// logView is the page of one part's log.
type logView struct {
	fedpage.Head
	part  logview.Part
	parts []logview.Part
	runs  []domain.Run // the newest ones; their logs are on their pages
}

// logParts lists what of a federation has a log: the engine's parts, and the SuperNodes whose owners share theirs.
func (s *Pages) logParts(ctx context.Context, fedID int64) ([]logview.Part, error) {
	var out []logview.Part
	for _, p := range []logview.Part{{Key: "superlink", Name: "SuperLink"}, {Key: "keeper", Name: "Keeper"}} {
		p.Part = p.Key
		out = append(out, p)
		for n := 1; n <= s.Engines.OlderLogs(fedID, p.Part); n++ {
			out = append(out, logview.Part{Key: p.Key + "." + ui.Itoa(n), Name: p.Name + ", older " + ui.Itoa(n), Part: p.Part, Old: n})
		}
	}
	keys, err := s.Onboarding.NodeKeys(ctx, fedID)
	for _, k := range keys {
		if k.Seen.SharesLogs && k.RevokedAt.IsZero() {
			for _, p := range logview.NodeParts(k) {
				p.Key = "node-" + strconv.FormatInt(k.ID, 10) + "-" + p.Part
				p.Name = "Partition " + ui.Itoa(k.Partition) + " " + p.Name
				out = append(out, p)
			}
		}
	}
	return out, err
}

// LogsPage is the page of the federation's logs.
func (s *Pages) LogsPage(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	parts, err := s.logParts(r.Context(), v.Fed.ID)
	if err != nil {
		return err
	}
	l := logView{parts: parts, part: parts[0]}
	if p, err := logview.Find(parts, r.URL.Query().Get("part")); err == nil {
		l.part = p
	}
	if l.Head, err = s.Fed.Head(r.Context(), v, "logs"); err != nil {
		return err
	}
	if l.runs, err = s.Runs.List(r.Context(), domain.RunFilter{FederationID: v.Fed.ID, Limit: 10}); err != nil {
		return err
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "Logs · " + v.Fed.Name, Nav: "f"}, logsPage(l))
	return nil
}

// LogPart answers questions about a part's log.
func (s *Pages) LogPart(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	parts, err := s.logParts(r.Context(), v.Fed.ID)
	if err != nil {
		return err
	}
	part, err := logview.Find(parts, r.PathValue("part"))
	if err != nil {
		return err
	}
	return s.Logs.ServePart(w, r, v, part)
}
