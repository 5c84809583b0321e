package site

import (
	"net/mail"
	"net/url"
	"strings"
	"unicode/utf8"

	"blossomtune/internal/domain"
)

// Check returns the value as it is kept, or a [domain.Invalid] error at the key.
func Check(key, value string) (string, error) {
	f, ok := field(key)
	if !ok {
		return "", domain.Errorf(domain.Invalid, "There is no setting %q.", key).At(key)
	}
	value = strings.ReplaceAll(value, "\r\n", "\n")
	if f.Kind == Line || f.Kind == Subject || f.Kind == Colour {
		value = domain.Line(value)
	} else {
		value = strings.TrimRight(value, " \t\n")
	}
	switch {
	case len(value) > f.Most:
		return "", domain.Errorf(domain.Invalid, "This is longer than %d bytes.", f.Most).At(key)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }):
		return "", domain.Errorf(domain.Invalid, "This contains characters that are not text.").Fix("Type it again.").At(key)
	case value == "" && f.Default != "" && f.Kind != Text:
		return "", domain.Errorf(domain.Invalid, "%s is empty.", f.Label).Fix("Enter something, or go back to the default.").At(key)
	}
	var err error
	switch {
	case f.Kind == Colour:
		value = strings.ToUpper(value)
		err = checkColour(key, value)
	case f.Kind == Logo:
		_, _, err = ParseLogo(value)
	case f.Kind == Subject || f.Kind == Body:
		err = checkTemplate(f, value)
	case key == KeyContact && value != "":
		err = checkContact(value)
	case key == KeyWelcome:
		err = checkWelcome(value)
	}
	return value, err
}

func checkContact(value string) error {
	if a, err := mail.ParseAddress(value); err == nil && a.Address == value {
		return nil
	}
	if u, err := url.Parse(value); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
		return nil
	}
	return domain.Errorf(domain.Invalid, "%q is neither an e-mail address nor a web address.", value).
		Fix("Write it like fl@example.org or https://example.org/contact.").At(KeyContact)
}

func checkWelcome(value string) error {
	for _, found := range braces.FindAllString(value, -1) {
		if found != "{site}" {
			return domain.Errorf(domain.Invalid, "The welcome text has no %s.", found).Fix("It can be filled with {site}.").At(KeyWelcome)
		}
	}
	return nil
}
