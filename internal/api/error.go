package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"blossomtune/internal/domain"

	"github.com/danielgtaylor/huma/v2"
)

// Problem is every error answer: a code for programs, cause and remedy for people.
type Problem struct {
	Status  int         `json:"status" doc:"HTTP status"`
	Code    domain.Code `json:"code" doc:"What kind of problem, for programs"`
	Message string      `json:"message" doc:"The cause"`
	Remedy  string      `json:"remedy,omitempty" doc:"What to do about it"`
	Field   string      `json:"field,omitempty" doc:"The input it belongs to"`
	Errors  []Problem   `json:"errors,omitempty" doc:"All problems, where there are several"`
}

// Error returns the message.
func (p *Problem) Error() string { return p.Message }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType says what the body is (RFC 9457).
func (p *Problem) ContentType(string) string { return "application/problem+json" }

var statusOf = map[domain.Code]int{
	domain.Invalid: http.StatusUnprocessableEntity, domain.NotFound: http.StatusNotFound, domain.Conflict: http.StatusConflict, domain.Forbidden: http.StatusForbidden,
	domain.Unauthenticated: http.StatusUnauthorized, domain.Expired: http.StatusGone, domain.Limited: http.StatusTooManyRequests, domain.TooLarge: http.StatusRequestEntityTooLarge,
	domain.Unavailable: http.StatusServiceUnavailable, domain.Internal: http.StatusInternalServerError,
}

// problemOf is the one place where errors become answers.
func problemOf(err error) *Problem {
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
		return &Problem{Status: http.StatusInternalServerError, Code: domain.Internal, Message: "Something is wrong on our side.", Remedy: "Try again; the server's log says more."}
	}
	return &Problem{Status: statusOf[e.Code], Code: e.Code, Message: e.Message, Remedy: e.Remedy, Field: e.Field}
}

// init gives the framework's own errors (a body that is no JSON, a missing field) the same form. It is the framework's one hook for that.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		p := &Problem{Status: status, Code: codeOf(status), Message: msg}
		for _, err := range errs {
			var d *huma.ErrorDetail
			if errors.As(err, &d) {
				p.Errors = append(p.Errors, Problem{Status: status, Code: p.Code, Message: d.Message, Field: d.Location})
			}
		}
		if len(p.Errors) == 1 {
			p.Message, p.Field = p.Errors[0].Message, p.Errors[0].Field
		}
		return p
	}
}

func codeOf(status int) domain.Code {
	for code, s := range statusOf {
		if s == status {
			return code
		}
	}
	if status/100 == 4 {
		return domain.Invalid
	}
	return domain.Internal
}

func writeError(w http.ResponseWriter, err error) { writeProblem(w, problemOf(err)) }

// panicked answers a request whose handler has panicked.
func panicked(w http.ResponseWriter, _ *http.Request, id string) {
	p := problemOf(nil)
	p.Remedy = "Try again; the server's log says more about request " + id + "."
	writeProblem(w, p)
}

func writeProblem(w http.ResponseWriter, p *Problem) {
	text, err := json.Marshal(p)
	if err != nil {
		text = []byte(`{"code":"internal"}`)
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(text)
}
