package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
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

// logPart is a part of a federation that has a log, or one of its older files.
type logPart struct {
	key  string // in addresses: "superlink", "superlink.1"
	name string
	node int64  // whose SuperNode; 0: the engine's
	part string // of the engine or the SuperNode
	old  int
}

func (p logPart) base(fed domain.Federation) string {
	return "/f/" + fed.Slug + "/logs/" + url.PathEscape(p.key)
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

// nodeParts are the logs that an agent sends.
func nodeParts(k domain.NodeKey) []logPart {
	return []logPart{{key: "supernode", name: "SuperNode", node: k.ID, part: "supernode"}, {key: "clientapp", name: "ClientApp", node: k.ID, part: "clientapp"}}
}

func findPart(parts []logPart, key string) (logPart, error) {
	i := slices.IndexFunc(parts, func(p logPart) bool { return p.key == key })
	if i < 0 {
		return logPart{}, domain.Errorf(domain.NotFound, "There is no log %q.", key)
	}
	return parts[i], nil
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

func (s *server) servePart(w http.ResponseWriter, r *http.Request, v *visit, p logPart) error {
	if p.node != 0 {
		return s.serveLog(w, r, s.Engines.NodeLog(v.fed.ID, p.node, p.part, p.old), v.fed.Slug+"-"+p.key, r.PathValue("kind"))
	}
	f, err := s.Engines.Log(v.fed.ID, p.part, p.old)
	if err != nil {
		return err
	}
	return s.serveLog(w, r, f, v.fed.Slug+"-"+p.key, r.PathValue("kind"))
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
	l := logView{fedHead: fedHead{fed: v.fed}, parts: parts, part: parts[0]}
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
