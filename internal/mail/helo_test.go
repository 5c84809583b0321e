package mail

import (
	"errors"
	"testing"
)

// Mail servers refuse a greeting without a name, and the system may have none.
func TestTheGreetingHasAName(t *testing.T) {
	for name, want := range map[string]string{"vm": "vm", "Fl.Example.org.": "fl.example.org", "": "localhost", "two words": "localhost",
		"kö": "xn--k-1ga"} {
		if got := helo(func() (string, error) { return name, nil }); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if got := helo(func() (string, error) { return "", errors.New("no name") }); got != "localhost" {
		t.Errorf("%q", got)
	}
}
