package web

import (
	"net/http"
	"net/url"
	"slices"

	"blossomtune/internal/domain"
)

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
