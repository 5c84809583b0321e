package web

import (
	"net/http"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/site"
)

// siteCSS is the style sheet of the site's colours, or, with colours in the address, of the preview of the settings page.
func (s *server) siteCSS(w http.ResponseWriter, r *http.Request, _ *visit) error {
	css := s.Site.Style()
	if q := r.URL.Query(); q.Has("light") {
		css = site.Style(".b-preview", q.Get("light"), q.Get("dark"))
	}
	serveTagged(w, r, "text/css; charset=utf-8", tagOf(css), []byte(css))
	return nil
}

// logo is the site's picture. An SVG opened by its own address is a document: nothing in it runs, loads or submits anything.
func (s *server) logo(w http.ResponseWriter, r *http.Request, _ *visit) error {
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
	writeBody(w, r, http.StatusOK, body)
}

// help is what whoever runs this server says to those who need help.
func (s *server) help(w http.ResponseWriter, r *http.Request, v *visit) error {
	s.render(w, r, v, http.StatusOK, page{title: "Help", nav: "help", mid: true}, helpPage(s.Site.Value(site.KeyHelp), s.Site.Value(site.KeyContact), v))
	return nil
}

// apiPage says where the description of the API is; it is for people who follow a link to /api.
func (s *server) apiPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	s.render(w, r, v, http.StatusOK, page{title: "API", nav: "help", mid: true}, apiPage(v.known()))
	return nil
}
