package visit

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/safely/safehttp"
	"blossomtune/internal/web/ui"
)

// Problems is the one place where errors become answers: everything of ours is told, nothing else is.
func Problems(err error) []ui.Problem {
	var several domain.Errors
	if errors.As(err, &several) && len(several) > 0 {
		var out []ui.Problem
		for _, e := range several {
			out = append(out, Problems(e)...)
		}
		return out
	}
	var e *domain.Error
	if !errors.As(err, &e) || e.Code == domain.Internal {
		return []ui.Problem{{Code: domain.Internal, Message: "Something is wrong on our side.",
			Remedy: "Try again; the server's log says more.", Status: http.StatusInternalServerError}}
	}
	return []ui.Problem{{Code: e.Code, Message: e.Message, Remedy: e.Remedy, Field: e.Field, Status: e.Code.Status()}}
}

// FormError turns an error into what a form shows, with its status. It returns the error itself when the form is not the place
// to show it: what is not known, not allowed or broken gets a page of its own.
func FormError(err error, fields ...string) (ui.FormErrors, int, error) {
	all := Problems(err)
	out := ui.FormErrors{}
	for _, p := range all {
		switch p.Code {
		case domain.Internal, domain.NotFound, domain.Forbidden, domain.Unauthenticated:
			return nil, 0, err
		}
		field := ""
		for _, f := range fields {
			if f == p.Field || strings.HasSuffix(f, ".") && strings.HasPrefix(p.Field, f) {
				field = p.Field
			}
		}
		if _, taken := out[field]; !taken {
			out[field] = p
		}
	}
	return out, all[0].Status, nil
}

// fail answers an error: a form for those who must sign in, JSON for scripts, a page for people.
func (s *Host) fail(w http.ResponseWriter, r *http.Request, v *Visit, err error) {
	p := Problems(err)[0]
	if p.Status == http.StatusInternalServerError {
		if r.Context().Err() != nil {
			return // the browser went away
		}
		id := safehttp.ID(r.Context())
		s.Log.Error("answering a page", "request", id, "method", r.Method, "path", r.URL.Path, "err", err)
		p.Remedy = "Try again. The server's log says more about request " + id + "."
	}
	if errors.Is(err, errSignIn) && r.Method == http.MethodGet && !forScript(r) {
		s.SetCookie(w, r, NextCookie, url.QueryEscape(r.URL.RequestURI()), 1800)
		http.Redirect(w, r, "/signin", http.StatusSeeOther)
		return
	}
	s.tell(w, r, v, p)
}

// Panicked answers a request whose handler has panicked.
func (s *Host) Panicked(w http.ResponseWriter, r *http.Request, id string) {
	p := Problems(nil)[0]
	p.Remedy = "Try again. The server's log says more about request " + id + "."
	s.tell(w, r, &Visit{}, p)
}

func forScript(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, ".json") || strings.HasSuffix(r.URL.Path, "/events")
}

// tell answers with a problem: JSON for scripts, a page for people.
func (s *Host) tell(w http.ResponseWriter, r *http.Request, v *Visit, p ui.Problem) {
	if forScript(r) {
		writeProblem(w, p)
		return
	}
	own := ""
	if v.Fed.ID != 0 && p.Code == domain.Forbidden && v.Mine.ID != 0 {
		own = "/me/" + v.Fed.Slug
	}
	s.Render(w, r, v, p.Status, ui.Page{Title: ui.TitleOf(p), Mid: true}, ui.ErrorPage(p, own, v.Fed.Name, v.Known()))
}

func writeProblem(w http.ResponseWriter, p ui.Problem) {
	text, err := json.Marshal(p)
	if err != nil {
		text = []byte(`{"code":"internal"}`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(text)
}

// Nothing answers for addresses that no route has.
func (s *Host) Nothing(_ http.ResponseWriter, r *http.Request, _ *Visit) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return domain.Errorf(domain.NotFound, "Nothing can be sent to this address.")
	}
	return domain.Errorf(domain.NotFound, "There is no page at this address.").Fix("Check the address, or begin at the start page.")
}
