package web

import (
	"context"
	"net/http"

	"blossomtune/internal/domain"
)

// sharedLogs are the logs that a participant's machine shares.
type sharedLogs struct {
	fed   domain.Federation
	part  logPart // that is shown
	parts []logPart
}

// myParts are the logs that the visitor's machine shares.
func (s *server) myParts(ctx context.Context, v *visit) ([]logPart, error) {
	if err := inPart(v); err != nil {
		return nil, err
	}
	k, err := s.Onboarding.KeyOf(ctx, v.mine.ID)
	if err != nil || !k.Seen.SharesLogs {
		return nil, domain.Errorf(domain.NotFound, "No logs of your machine are here: they stay with you.").Fix("To share them, run join with --share-logs.").Because(err)
	}
	return nodeParts(k), nil
}

// myLogs shows a participant what the managers see of their machine's logs.
func (s *server) myLogs(w http.ResponseWriter, r *http.Request, v *visit) error {
	parts, err := s.myParts(r.Context(), v)
	if err != nil {
		return err
	}
	l := sharedLogs{fed: v.fed, parts: parts, part: parts[0]}
	if p, err := findPart(parts, r.URL.Query().Get("part")); err == nil {
		l.part = p
	}
	s.render(w, r, v, http.StatusOK, page{title: "Shared logs · " + v.fed.Name, nav: "me"}, myLogsPage(l))
	return nil
}

func (s *server) myLog(w http.ResponseWriter, r *http.Request, v *visit) error {
	parts, err := s.myParts(r.Context(), v)
	if err != nil {
		return err
	}
	part, err := findPart(parts, r.PathValue("part"))
	if err != nil {
		return err
	}
	return s.servePart(w, r, v, part)
}
