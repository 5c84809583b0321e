package visit

import (
	"fmt"
	"hash/fnv"

	"blossomtune/internal/site"
	"blossomtune/internal/web/ui"
)

func (s *Host) look() ui.Site {
	l := ui.Site{Name: s.Site.Name(), Contact: s.Site.Value(site.KeyContact)}
	if css := s.Site.Style(); css != "" {
		l.Style = "/site.css?v=" + Tag(css)
	}
	if _, tag, ok := s.Site.Logo(); ok {
		l.Logo = "/site/logo?v=" + tag
	}
	return l
}

// Tag is a short mark of a text, another one for each text.
func Tag(text string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return fmt.Sprintf("%016x", h.Sum64())
}
