package ui

import "blossomtune/internal/domain"

// Problem is an error as people see it.
type Problem struct {
	Code    domain.Code `json:"code"`
	Message string      `json:"message"`
	Remedy  string      `json:"remedy,omitempty"`
	Field   string      `json:"field,omitempty"`
	Status  int
}

// FormErrors is a form's errors by field; those without a field the form has are at "".
type FormErrors map[string]Problem

// TitleOf is the title of a page that tells a problem.
func TitleOf(p Problem) string {
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
