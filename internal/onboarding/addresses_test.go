package onboarding_test

import (
	"slices"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
)

// lists are what people paste, with the addresses that are meant.
var lists = []struct{ name, text, want string }{
	{"Excel, CSV UTF-8", "\ufeffi3@example.org\r\ni4@example.org\r\n", "i3@example.org i4@example.org"},
	{"Outlook, a comma between quotes", "\"Lovelace, Ada\" <i7@example.org>; Bob <i8@example.org>\ni9@example.org\n", "i7@example.org i8@example.org i9@example.org"},
	{"Outlook, a comma without quotes", "Lovelace, Ada <a@example.org>; Byron, G. <b@example.org>", "a@example.org b@example.org"},
	{"smart quotes", "“Lovelace, Ada” <a@example.org>; „Bob“ <b@example.org>", "a@example.org b@example.org"},
	{"Unicode text of Excel", "\xff\xfea\x00@\x00b\x00.\x00c\x00o\x00\r\x00\n\x00d\x00@\x00b\x00.\x00c\x00o\x00", "a@b.co d@b.co"},
	{"a table with a header", "Name;E-Mail;Organisation\nLovelace, Ada;a@example.org;Uni @ home\nBob;b@example.org;\n", "a@example.org b@example.org"},
	{"a table without a header", "Ada,a@example.org,Uni\nBob,b@example.org,Uni\n", "a@example.org b@example.org"},
	{"a table in quotes", `"Lovelace, Ada","a@example.org"`, "a@example.org"},
	{"doubled quotes", `"Ada ""The Countess"", Lovelace" <a@example.org>`, "a@example.org"},
	{"tabs", "Ada\ta@example.org\nBob\tb@example.org", "a@example.org b@example.org"},
	{"links", "mailto:a@example.org\nBob [mailto:b@example.org]\nEve (c@example.org)", "a@example.org b@example.org c@example.org"},
	{"spaces of a web page", "\u00a0a@example.org\u00a0\u200b\nb@example.org\u00a0c@example.org", "a@example.org b@example.org c@example.org"},
	{"bullets", "• a@example.org\n- b@example.org\n3. c@example.org", "a@example.org b@example.org c@example.org"},
	{"full width", "a＠example．org；b@example.org，c@example.org", "a@example.org b@example.org c@example.org"},
	{"old line ends", "a@example.org\rb@example.org\u2028c@example.org", "a@example.org b@example.org c@example.org"},
	{"other domains", "a@münchen.example\nA@xn--mnchen-3ya.example", "a@xn--mnchen-3ya.example"},
	{"ends of sentences", "Please invite a@example.org, b@example.org.", "a@example.org b@example.org"},
	{"one column with a header", "E-mail address\na@example.org", "a@example.org"},
	{"dots", "a@example.org.\nb@example.org;", "a@example.org b@example.org"},
	{"no separators", "Ada <a@example.org> Bob <b@example.org>", "a@example.org b@example.org"},
}

func TestListsOfAddressesAsPeoplePasteThem(t *testing.T) {
	for _, c := range lists {
		got, errs := onboarding.ParseEmails(c.text)
		if len(errs) > 0 || !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s: %q, %v; want %s", c.name, got, errs, c.want)
		}
	}
	for text, named := range map[string]string{
		"a@example.org\n\nbob":                    "line 3: bob",
		"\n\na@example.org, bob":                  "line 3: bob",
		"a@example.org; b@example":                "line 1: b@example",
		"Ada <a.example.org>":                     "line 1: Ada <a.example.org>",
		"bob, <a@example.org>":                    "line 1: bob",
		"a@m\xfcnchen.example":                    "line 1: a@m\ufffdnchen.example",
		"Name,Mail\nA,a@example.org\nB,b@example": "line 3: b@example",
	} {
		if got, errs := onboarding.ParseEmails(text); len(errs) != 1 || !strings.Contains(errs[0].Message, named) {
			t.Errorf("%q: %q, %v; want an error that names %q", text, got, errs, named)
		}
	}
	if _, errs := onboarding.ParseEmails("\ufeff\u200b\n"); len(errs) != 1 || domain.CodeOf(errs[0]) != domain.Invalid {
		t.Errorf("an empty list: %v", errs)
	}
}

// Whatever a list holds, what comes out of it is addresses in their one form.
func FuzzListsOfAddresses(f *testing.F) {
	for _, c := range lists {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, errs := onboarding.ParseEmails(text)
		if len(got) == 0 && len(errs) == 0 {
			t.Fatal("neither an address nor an error")
		}
		for _, email := range got {
			if again, err := domain.NormalEmail(email); err != nil || again != email {
				t.Fatalf("%q became %q, %v", email, again, err)
			}
		}
	})
}
