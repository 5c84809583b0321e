package web

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"regexp"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/site"
)

// look is what the frame of every page takes from the site's settings.
type look struct {
	name    string
	style   string // address of the style sheet of its colours; "" for the usual ones
	logo    string // address of its picture; "" for the mark
	contact string
}

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

// piece is a part of a text: words, or an address that is a link.
type piece struct{ text, href string }

var addresses = regexp.MustCompile(`https?://[^\s<>"']*[^\s<>"'.,;:!?)\]]|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+`)

// linked finds the addresses of pages and mailboxes in a text.
func linked(text string) (out []piece) {
	at := 0
	for _, m := range addresses.FindAllStringIndex(text, -1) {
		if m[0] > at {
			out = append(out, piece{text: text[at:m[0]]})
		}
		found := text[m[0]:m[1]]
		href := found
		if !strings.HasPrefix(found, "http") {
			href = "mailto:" + found
		}
		out = append(out, piece{found, href})
		at = m[1]
	}
	if at < len(text) {
		out = append(out, piece{text: text[at:]})
	}
	return out
}

// paragraphs are what blank lines part.
func paragraphs(text string) (out []string) {
	for p := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}
