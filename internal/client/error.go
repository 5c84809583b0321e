package client

import (
	"blossomtune/internal/domain"
)

// Problem is every error answer: a code for programs, cause and remedy for people.
type Problem struct {
	Status  int         `json:"status" doc:"HTTP status"`
	Code    domain.Code `json:"code" doc:"What kind of problem, for programs"`
	Message string      `json:"message" doc:"The cause"`
	Remedy  string      `json:"remedy,omitempty" doc:"What to do about it"`
	Field   string      `json:"field,omitempty" doc:"The input it belongs to"`
	Request string      `json:"request_id,omitempty" doc:"The request, as the server's log names it; where the server failed"`
	Errors  []Problem   `json:"errors,omitempty" doc:"All problems, where there are several"`
}

// Error returns the message.
func (p *Problem) Error() string { return p.Message }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType says what the body is (RFC 9457).
func (p *Problem) ContentType(string) string { return ProblemType }

// ProblemType is the media type of a [Problem].
const ProblemType = "application/problem+json"
