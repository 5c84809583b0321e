package domain

import "testing"

func TestTextIsWhatPeopleSee(t *testing.T) {
	for _, c := range []struct{ in, text, line string }{
		{"\ufeffAda", "Ada", "Ada"},
		{"\xff\xfeA\x00d\x00a\x00\r\x00\n\x00B\x00", "Ada\nB", "Ada B"},
		{"\xfe\xff\x00A\x00d\x00a", "Ada", "Ada"},
		{"Ada\u00a0 \u2003Lovelace", "Ada  \u0020Lovelace"[:3] + "   Lovelace", "Ada Lovelace"},
		{"A\u200bd\u2060a\u00ad", "Ada", "Ada"},
		{"safe\u202egnp.exe\u202c\u2066x\u2069\u200f\u061c", "safegnp.exex", "safegnp.exex"},
		{"a\rb\r\nc\u2028d", "a\nb\nc\nd", "a b c d"},
		{"a\x00b\x1b[31mc\x7f", "a b [31mc", "a b [31mc"},
		{"e\u0301", "é", "é"},
		{"M\xfcller", "M\ufffdller", "M\ufffdller"},
		{"\U000e0041\u3164\u2800 ", "", ""},
		{"نامه\u200cای", "نامه\u200cای", "نامه\u200cای"},      // Persian needs it
		{"👩\u200d🔬", "👩\u200d🔬", "👩\u200d🔬"},                  // one emoji
		{"A\u200dd\u200ca\u200d", "Ada", "Ada"},               // Latin does not
		{"  two\n\n  lines  ", "two\n\n  lines", "two lines"}, // kept in a text
	} {
		if got := Text(c.in); got != c.text {
			t.Errorf("Text(%q) = %q; want %q", c.in, got, c.text)
		}
		if got := Line(c.in); got != c.line {
			t.Errorf("Line(%q) = %q; want %q", c.in, got, c.line)
		}
	}
}

func TestEncodingFault(t *testing.T) {
	for in, want := range map[string]string{"a = 1": "", "\ufeffa": "begins with a byte order mark", "\xff\xfea\x00": "is encoded as UTF-16", "\xfe\xff\x00a": "is encoded as UTF-16", "\xfc": "is not encoded as UTF-8"} {
		if got := EncodingFault([]byte(in)); got != want {
			t.Errorf("%q: %q; want %q", in, got, want)
		}
	}
}

func TestOneAddressHasOneForm(t *testing.T) {
	for in, want := range map[string]string{
		" Ada@Example.ORG ":                         "ada@example.org",
		"ada@münchen.example":                       "ada@xn--mnchen-3ya.example",
		"ada@mu\u0308nchen.example":                 "ada@xn--mnchen-3ya.example",
		"ada@XN--MNCHEN-3YA.example":                "ada@xn--mnchen-3ya.example",
		"ada@MÜNCHEN。example":                       "ada@xn--mnchen-3ya.example",
		"\ufeffada@example.org":                     "ada@example.org",
		"ada\u200b@example\u00ad.org":               "ada@example.org",
		"\u00a0ada@example.org\u00a0":               "ada@example.org",
		"ada＠example．org":                           "ada@example.org",
		"ada﹫example.org":                           "ada@example.org",
		"ａｄａ@example.org":                           "ada@example.org",
		"mailto:ada@example.org":                    "ada@example.org",
		"MailTo:ada%40example.org?subject=Hello%21": "ada@example.org",
		"<ada@example.org>":                         "ada@example.org",
		"Ada Lovelace <ada@example.org>":            "ada@example.org",
		"“ada@example.org”":                         "ada@example.org",
		"'ada@example.org'":                         "ada@example.org",
		"ada@example.org.":                          "ada@example.org",
		"ada@example.org;":                          "ada@example.org",
		"o'neil@example.org":                        "o'neil@example.org",
		"ada@localhost":                             "ada@localhost",
		"ada@a_b.example.org":                       "ada@a_b.example.org",
	} {
		if got, err := NormalEmail(in); err != nil || got != want {
			t.Errorf("NormalEmail(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "ada", "@example.org", "ada@", "ada@example", "a@b@example.org", "ada example.org", "a b@example.org", "ada@exa mple.org", "ada@xn--a.example",
		"ada@example..org", "ada@m\xfcnchen.example", "ada@example.org\nbcc:x@example.org", "ada\x00@example.org", `"ada l"@example.org`} {
		if got, err := NormalEmail(bad); CodeOf(err) != Invalid {
			t.Errorf("NormalEmail(%q) = %q, %v; want Invalid", bad, got, err)
		}
	}
	for in, want := range map[string]string{"@Uni.Example": "uni.example", " münchen.example. ": "xn--mnchen-3ya.example", "＠uni.example": "uni.example", "\ufeffuni.example": "uni.example"} {
		if got, err := NormalDomain(in, "domain"); err != nil || got != want {
			t.Errorf("NormalDomain(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestCodesAndIDsAsPeopleTypeThem(t *testing.T) {
	for _, in := range []string{"ABCD-EFGH", "abcd efgh", "ABCD\u2013EFGH", "\ufeffABCD\u200b-EFGH ", "ＡＢＣＤ－ＥＦＧＨ"} {
		if got := NormalRef(in); got != "ABCD-EFGH" {
			t.Errorf("NormalRef(%q) = %q", in, got)
		}
		if got := NormalCode(in); got != "ABCDEFGH" {
			t.Errorf("NormalCode(%q) = %q", in, got)
		}
	}
}
