package site

import (
	"net/http"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/site"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// CSS is the style sheet of the site's colours, or, with colours in the address, of the preview of the settings page.
func (s *Pages) CSS(w http.ResponseWriter, r *http.Request, _ *visit.Visit) error {
	css := s.Site.Style()
	if q := r.URL.Query(); q.Has("light") {
		css = site.Style(".b-preview", q.Get("light"), q.Get("dark"))
	}
	serveTagged(w, r, "text/css; charset=utf-8", visit.Tag(css), []byte(css))
	return nil
}

// Logo is the site's picture. An SVG opened by its own address is a document: nothing in it runs, loads or submits anything.
func (s *Pages) Logo(w http.ResponseWriter, r *http.Request, _ *visit.Visit) error {
	p, tag, ok := s.Site.Logo()
	if !ok {
		return domain.Errorf(domain.NotFound, "This site has no logo of its own.")
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox")
	serveTagged(w, r, p.Type, tag, p.Bytes)
	return nil
}

// serveTagged answers with what a browser may keep but must ask for again; it is told when nothing has changed.
func serveTagged(w http.ResponseWriter, r *http.Request, kind, tag string, body []byte) {
	h := w.Header()
	h.Set("Cache-Control", "public, no-cache")
	h.Set("ETag", `"`+tag+`"`)
	if strings.Contains(r.Header.Get("If-None-Match"), `"`+tag+`"`) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", kind)
	visit.WriteBody(w, r, http.StatusOK, body)
}

// Help is what whoever runs this server says to those who need help.
func (s *Pages) Help(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "Help", Nav: "help", Mid: true},
		helpPage(s.Site.Value(site.KeyHelp), s.Site.Value(site.KeyContact), v))
	return nil
}
