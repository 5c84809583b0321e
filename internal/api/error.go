package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/safely/safehttp"

	"github.com/danielgtaylor/huma/v2"
)

// problemOf is the one place where errors become answers.
func problemOf(err error) *client.Problem {
	var several domain.Errors
	if errors.As(err, &several) && len(several) > 0 {
		p := problemOf(several[0])
		for _, e := range several {
			p.Errors = append(p.Errors, *problemOf(e))
		}
		return p
	}
	var e *domain.Error
	if !errors.As(err, &e) || e.Code == domain.Internal {
		return &client.Problem{Status: http.StatusInternalServerError, Code: domain.Internal, Message: "Something is wrong on our side.",
			Remedy: "Try again; the server's log says more."}
	}
	return &client.Problem{Status: e.Code.Status(), Code: e.Code, Message: e.Message, Remedy: e.Remedy, Field: e.Field}
}

// init gives the framework's own errors (a body that is no JSON, a missing field) the same form. It is the framework's one hook for that.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		p := &client.Problem{Status: status, Code: codeOf(status), Message: msg}
		for _, err := range errs {
			var d *huma.ErrorDetail
			if errors.As(err, &d) {
				p.Errors = append(p.Errors, client.Problem{Status: status, Code: p.Code, Message: d.Message, Field: d.Location})
			}
		}
		if len(p.Errors) == 1 {
			p.Message, p.Field = p.Errors[0].Message, p.Errors[0].Field
		}
		return p
	}
}

func codeOf(status int) domain.Code {
	if status == http.StatusInternalServerError {
		return domain.Internal
	}
	return domain.CodeOfStatus(status)
}

func writeError(w http.ResponseWriter, err error) { writeProblem(w, problemOf(err)) }

// panicked answers a request whose handler has panicked.
func panicked(w http.ResponseWriter, _ *http.Request, id string) {
	p := problemOf(nil)
	p.Request = id
	p.Remedy = "Try again; the server's log says more about request " + id + "."
	writeProblem(w, p)
}

// nameRequest puts the request's id into answers that the server's log explains.
func nameRequest(ctx huma.Context, _ string, v any) (any, error) {
	if p, ok := v.(*client.Problem); ok && p.Status >= http.StatusInternalServerError {
		named := *p
		named.Request = safehttp.ID(ctx.Context())
		return &named, nil
	}
	return v, nil
}

func writeProblem(w http.ResponseWriter, p *client.Problem) {
	text, err := json.Marshal(p)
	if err != nil {
		text = []byte(`{"code":"internal"}`)
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(text)
}
