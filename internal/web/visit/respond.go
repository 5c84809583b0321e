package visit

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/web/ui"

	"github.com/a-h/templ"
)

// csp lets a page load and call nothing but this server; there is no inline script or style anywhere.
const csp = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; object-src 'none'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// SecureHeaders sets what browsers must keep to on every page.
func SecureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		next.ServeHTTP(w, r)
	})
}

// Render writes a page.
func (s *Host) Render(w http.ResponseWriter, r *http.Request, v *Visit, status int, p ui.Page, content templ.Component) {
	f := ui.Frame{Page: p, Site: s.look(), Version: s.Version, Assets: s.Assets, Person: v.Person}
	f.Flash, f.Undo = s.takeFlash(w, r)
	if v.Known() {
		var err error
		if f.Watcher, err = s.Accounts.Watches(r.Context(), v.Person); err != nil && r.Context().Err() == nil {
			s.Log.Error("reading what somebody watches", "err", err) // the page is as good without
		}
	}
	var b bytes.Buffer
	if err := ui.Layout(f, content).Render(s.DrawContext(r.Context()), &b); err != nil {
		if r.Context().Err() == nil {
			s.Log.Error("rendering a page", "path", r.URL.Path, "err", err)
			http.Error(w, "Something is wrong on our side.", http.StatusInternalServerError)
		}
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	WriteBody(w, r, status, b.Bytes())
}

// DrawContext is a context in which the components of a page or of a part of it are rendered.
func (s *Host) DrawContext(ctx context.Context) context.Context {
	return ui.WithDrawing(ctx, s.Assets.URL("icons.svg"), s.Clock().UTC())
}

// WriteBody compresses what is worth it.
func WriteBody(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if len(body) > 1024 && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		var z bytes.Buffer
		zw, _ := gzip.NewWriterLevel(&z, gzip.BestSpeed) // the level is valid
		_, _ = zw.Write(body)
		_ = zw.Close()
		h.Set("Content-Encoding", "gzip")
		body = z.Bytes()
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// WriteJSON answers with a value as JSON that nobody keeps.
func WriteJSON(w http.ResponseWriter, r *http.Request, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	WriteBody(w, r, http.StatusOK, text)
	return nil
}

// Done sends the browser to the page after an action and tells its result there once.
func (s *Host) Done(w http.ResponseWriter, r *http.Request, to, result string) error {
	if result != "" {
		s.SetCookie(w, r, flashCookie, base64.RawURLEncoding.EncodeToString([]byte(result)), 60)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// DoneUndo is [server.done] with a button beside the result that posts to an address to take it back.
func (s *Host) DoneUndo(w http.ResponseWriter, r *http.Request, to, result, undo string) error {
	return s.Done(w, r, to, result+"\n"+undo)
}

// takeFlash returns what the last action is to tell, and the address that takes it back: one of ours, or none.
func (s *Host) takeFlash(w http.ResponseWriter, r *http.Request) (text, undo string) {
	c, err := r.Cookie(flashCookie)
	if err != nil || c.Value == "" {
		return "", ""
	}
	s.SetCookie(w, r, flashCookie, "", -1)
	all, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || len(all) > 1000 {
		return "", ""
	}
	text, undo, _ = strings.Cut(string(all), "\n")
	if !strings.HasPrefix(undo, "/f/") {
		undo = ""
	}
	return text, undo
}

// Attachment is the header that makes a browser save an answer under a name.
func Attachment(name string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}
