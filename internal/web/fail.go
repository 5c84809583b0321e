package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/safely/safehttp"
)

// problems is the one place where errors become answers: everything of ours is told, nothing else is.
func problems(err error) []problem {
	var several domain.Errors
	if errors.As(err, &several) && len(several) > 0 {
		var out []problem
		for _, e := range several {
			out = append(out, problems(e)...)
		}
		return out
	}
	var e *domain.Error
	if !errors.As(err, &e) || e.Code == domain.Internal {
		return []problem{{Code: domain.Internal, Message: "Something is wrong on our side.", Remedy: "Try again; the server's log says more.", status: http.StatusInternalServerError}}
	}
	return []problem{{Code: e.Code, Message: e.Message, Remedy: e.Remedy, Field: e.Field, status: e.Code.Status()}}
}

// formError turns an error into what a form shows, with its status. It returns the error itself when the form is not the place
// to show it: what is not known, not allowed or broken gets a page of its own.
func formError(err error, fields ...string) (formErrors, int, error) {
	all := problems(err)
	out := formErrors{}
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
	return out, all[0].status, nil
}

// fail answers an error: a form for those who must sign in, JSON for scripts, a page for people.
func (s *server) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	p := problems(err)[0]
	if p.status == http.StatusInternalServerError {
		if r.Context().Err() != nil {
			return // the browser went away
		}
		id := safehttp.ID(r.Context())
		s.Log.Error("answering a page", "request", id, "method", r.Method, "path", r.URL.Path, "err", err)
		p.Remedy = "Try again. The server's log says more about request " + id + "."
	}
	if errors.Is(err, errSignIn) && r.Method == http.MethodGet && !forScript(r) {
		s.setCookie(w, r, nextCookie, url.QueryEscape(r.URL.RequestURI()), 1800)
		http.Redirect(w, r, "/signin", http.StatusSeeOther)
		return
	}
	s.tell(w, r, v, p)
}

// panicked answers a request whose handler has panicked.
func (s *server) panicked(w http.ResponseWriter, r *http.Request, id string) {
	p := problems(nil)[0]
	p.Remedy = "Try again. The server's log says more about request " + id + "."
	s.tell(w, r, &visit{}, p)
}

func forScript(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, ".json") || strings.HasSuffix(r.URL.Path, "/events")
}

// tell answers with a problem: JSON for scripts, a page for people.
func (s *server) tell(w http.ResponseWriter, r *http.Request, v *visit, p problem) {
	if forScript(r) {
		writeProblem(w, p)
		return
	}
	own := ""
	if v.fed.ID != 0 && p.Code == domain.Forbidden && v.mine.ID != 0 {
		own = "/me/" + v.fed.Slug
	}
	s.render(w, r, v, p.status, page{title: titleOf(p), mid: true}, errorPage(p, own, v.fed.Name, v.known()))
}

func writeProblem(w http.ResponseWriter, p problem) {
	text, err := json.Marshal(p)
	if err != nil {
		text = []byte(`{"code":"internal"}`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.status)
	_, _ = w.Write(text)
}

func (s *server) nothingHere(_ http.ResponseWriter, r *http.Request, _ *visit) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return domain.Errorf(domain.NotFound, "Nothing can be sent to this address.")
	}
	return domain.Errorf(domain.NotFound, "There is no page at this address.").Fix("Check the address, or begin at the start page.")
}
