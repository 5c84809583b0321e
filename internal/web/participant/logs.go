package participant

import (
	"context"
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/logview"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// sharedLogs are the logs that a participant's machine shares.
type sharedLogs struct {
	fed   domain.Federation
	part  logview.Part // that is shown
	parts []logview.Part
}

// myParts are the logs that the visitor's machine shares.
func (s *Pages) myParts(ctx context.Context, v *visit.Visit) ([]logview.Part, error) {
	if err := inPart(v); err != nil {
		return nil, err
	}
	k, err := s.Onboarding.KeyOf(ctx, v.Mine.ID)
	if err != nil || !k.Seen.SharesLogs {
		return nil, domain.Errorf(domain.NotFound,
			"No logs of your machine are here: they stay with you.").Fix("To share them, run join with --share-logs.").Because(err)
	}
	return logview.NodeParts(k), nil
}

// LogsPage shows a participant what the managers see of their machine's logs.
func (s *Pages) LogsPage(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	parts, err := s.myParts(r.Context(), v)
	if err != nil {
		return err
	}
	l := sharedLogs{fed: v.Fed, parts: parts, part: parts[0]}
	if p, err := logview.Find(parts, r.URL.Query().Get("part")); err == nil {
		l.part = p
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "Shared logs · " + v.Fed.Name, Nav: "me"}, myLogsPage(l))
	return nil
}

// LogPart answers a question about a log of the visitor's machine.
func (s *Pages) LogPart(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	parts, err := s.myParts(r.Context(), v)
	if err != nil {
		return err
	}
	part, err := logview.Find(parts, r.PathValue("part"))
	if err != nil {
		return err
	}
	return s.Logs.ServePart(w, r, v, part)
}
