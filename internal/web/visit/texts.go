package visit

import (
	"net/http"
	"net/url"
	"strings"

	"blossomtune/internal/domain"
)

// checkAddress refuses a path or query that the database cannot hold as text. No page has one.
func checkAddress(r *http.Request) error {
	if domain.Storable(r.URL.Path) && CheckValues(r.URL.Query()) == nil {
		return nil
	}
	return domain.Errorf(domain.Invalid, "This address contains a NUL character or bytes that are not valid UTF-8.").
		Fix("Check the address, or begin at the start page.")
}

// checkForm reads a form of plain fields and refuses text that the database cannot hold. Forms with files are checked where they are read.
func checkForm(r *http.Request) error {
	if r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return nil
	}
	if err := ParseForm(r); err != nil {
		return err
	}
	return CheckValues(r.PostForm)
}

// CheckValues refuses a form with text that the database cannot hold.
func CheckValues(form url.Values) error {
	for key, values := range form {
		if !domain.Storable(key) {
			return domain.CheckText("", key)
		}
		for _, v := range values {
			if err := domain.CheckText(key, v); err != nil {
				return err
			}
		}
	}
	return nil
}
