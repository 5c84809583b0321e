package web

import (
	"fmt"
	"hash/fnv"

	"blossomtune/internal/site"
)

func (s *server) look() look {
	l := look{name: s.Site.Name(), contact: s.Site.Value(site.KeyContact)}
	if css := s.Site.Style(); css != "" {
		l.style = "/site.css?v=" + tagOf(css)
	}
	if _, tag, ok := s.Site.Logo(); ok {
		l.logo = "/site/logo?v=" + tag
	}
	return l
}

func tagOf(text string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return fmt.Sprintf("%016x", h.Sum64())
}
