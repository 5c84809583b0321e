package web

import "blossomtune/internal/domain"

// problem is an error as people see it.
type problem struct {
	Code    domain.Code `json:"code"`
	Message string      `json:"message"`
	Remedy  string      `json:"remedy,omitempty"`
	Field   string      `json:"field,omitempty"`
	status  int
}

// formErrors is a form's errors by field; those without a field the form has are at "".
type formErrors map[string]problem

func titleOf(p problem) string {
	switch p.Code {
	case domain.NotFound:
		return "Nothing here"
	case domain.Forbidden:
		return "Not for you"
	case domain.Expired:
		return "No longer valid"
	case domain.Internal, domain.Unavailable:
		return "Not now"
	}
	return "That did not work"
}
