package visit

import (
	"errors"
	"net/http"
	"slices"
	"strconv"

	"blossomtune/internal/domain"
)

// NotANumber is the error of a field that takes a whole number.
func NotANumber(what, got, field string) error {
	return domain.Errorf(domain.Invalid, "%s is a whole number, not %q.", what, got).At(field)
}

// FormID reads the id of what a form is about; "all" is 0.
func FormID(r *http.Request) (int64, error) {
	if err := ParseForm(r); err != nil {
		return 0, err
	}
	text := r.PostForm.Get("id")
	if text == "all" {
		return 0, nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return 0, domain.Errorf(domain.Invalid, "%q is no id.", text).Fix("Reload the page and try again.")
	}
	return id, nil
}

// WithID finds what a form is about; what is not there any more is a [domain.NotFound] error about what.
func WithID[T any](all []T, what string, is func(T) bool) (T, error) {
	i := slices.IndexFunc(all, is)
	if i < 0 {
		var none T
		return none, domain.Errorf(domain.NotFound, "There is no such %s.", what)
	}
	return all[i], nil
}

// ParseForm reads a POST form; one that is too large is a [domain.TooLarge] error.
func ParseForm(r *http.Request) error {
	err := r.ParseForm()
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return domain.Errorf(domain.TooLarge, "The form is too large.").Fix("Shorten what you entered.")
	}
	if err != nil {
		return domain.Errorf(domain.Invalid, "The form cannot be read.").Fix("Reload the page and try again.").Because(err)
	}
	return nil
}
