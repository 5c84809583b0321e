package domain

import (
	"errors"
	"fmt"
)

// Code says what kind of problem an [Error] is; web and api translate it to a status in one place each.
type Code string

// The codes, and the HTTP status that both surfaces give them.
const (
	Invalid         Code = "invalid"         // 422, input that cannot be accepted; Field names the place
	NotFound        Code = "not_found"       // 404, or something that the caller may not know of
	Conflict        Code = "conflict"        // 409, somebody was faster, or the state does not allow it
	Forbidden       Code = "forbidden"       // 403
	Unauthenticated Code = "unauthenticated" // 401
	Expired         Code = "expired"         // 410, a code, link or token that has run out or was used
	Limited         Code = "limited"         // 429, too often or too much
	TooLarge        Code = "too_large"       // 413
	Unavailable     Code = "unavailable"     // 503, a part that is needed does not answer now
	Internal        Code = "internal"        // 500, a fault of ours
)

// Error is the project's one error type: a code for programs, and a cause and a remedy for people.
type Error struct {
	Code    Code
	Message string // the cause, a full sentence for the person who sees it
	Remedy  string // what to do about it; may be empty
	Field   string // the form field or config key it belongs to; may be empty
	Err     error  // the wrapped cause, never shown to people
}

// Error returns the message and the wrapped cause, for logs.
func (e *Error) Error() string {
	s := e.Message
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the wrapped cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an [Error] with a formatted message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Fix returns the error with a remedy.
func (e *Error) Fix(format string, args ...any) *Error {
	e.Remedy = fmt.Sprintf(format, args...)
	return e
}

// At returns the error bound to a form field or config key.
func (e *Error) At(field string) *Error {
	e.Field = field
	return e
}

// Because returns the error wrapping a cause.
func (e *Error) Because(err error) *Error {
	e.Err = err
	return e
}

// CodeOf returns the code of the first [Error] in err's chain, "" for nil and [Internal] for any other error.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// Errors is several errors of one form, each at its field.
type Errors []*Error

// Error joins the messages, for logs.
func (es Errors) Error() string {
	s := ""
	for i, e := range es {
		if i > 0 {
			s += "; "
		}
		s += e.Error()
	}
	return s
}

// Unwrap makes errors.As and [CodeOf] find the single errors.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// With returns es with the single errors of err, if it has any.
func (es Errors) With(err error) Errors {
	var several Errors
	var one *Error
	switch {
	case errors.As(err, &several):
		return append(es, several...)
	case errors.As(err, &one):
		return append(es, one)
	}
	return es
}

// OrNil returns es as an error, or nil when it is empty.
func (es Errors) OrNil() error {
	if len(es) == 0 {
		return nil
	}
	return es
}
