package logview

import (
	"net/http"
	"net/url"
	"slices"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/visit"
)

// Part is a part of a federation that has a log, or one of its older files.
type Part struct {
	Key  string // in addresses: "superlink", "superlink.1"
	Name string
	node int64  // whose SuperNode; 0: the engine's
	Part string // of the engine or the SuperNode
	Old  int
}

// Base is the address that the log of a federation's part is below.
func (p Part) Base(fed domain.Federation) string {
	return "/f/" + fed.Slug + "/logs/" + url.PathEscape(p.Key)
}

// NodeParts are the logs that an agent sends.
func NodeParts(k domain.NodeKey) []Part {
	return []Part{{Key: "supernode", Name: "SuperNode", node: k.ID, Part: "supernode"},
		{Key: "clientapp", Name: "ClientApp", node: k.ID, Part: "clientapp"}}
}

// Find returns the part with a key; without one it is a [domain.NotFound] error.
func Find(parts []Part, key string) (Part, error) {
	i := slices.IndexFunc(parts, func(p Part) bool { return p.Key == key })
	if i < 0 {
		return Part{}, domain.Errorf(domain.NotFound, "There is no log %q.", key)
	}
	return parts[i], nil
}

// ServePart answers a question about the log of a part.
func (s *Logs) ServePart(w http.ResponseWriter, r *http.Request, v *visit.Visit, p Part) error {
	if p.node != 0 {
		return s.Serve(w, r, s.Engines.NodeLog(v.Fed.ID, p.node, p.Part, p.Old), v.Fed.Slug+"-"+p.Key, r.PathValue("kind"))
	}
	f, err := s.Engines.Log(v.Fed.ID, p.Part, p.Old)
	if err != nil {
		return err
	}
	return s.Serve(w, r, f, v.Fed.Slug+"-"+p.Key, r.PathValue("kind"))
}
