package domain

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCutNeverSplitsACharacter(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"plain", 10, "plain"}, {"plain", 3, "pla"}, {"", 3, ""}, {"ü", 1, ""}, {"aü", 2, "a"}, {"aü", 3, "aü"}, {"a😀b", 4, "a"}, {"a😀b", 5, "a😀"}, {"aaü", 3, "aa"},
		{"a\x00b", 10, "a\ufffdb"}, {"a\x00b", 3, "a"}, {"\xff\xfe", 10, "\ufffd"}, {"a\xed\xa0\x80b", 10, "a\ufffdb"},
		{strings.Repeat("\xff", 9) + "😀😀", 10, "\ufffd😀"},
	} {
		if got := Cut(c.in, c.n); got != c.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

func FuzzCut(f *testing.F) {
	for _, s := range []string{"", "aü", "😀😀", "\xff\x00\xfe", strings.Repeat("ü", 300)} {
		f.Add(s, 5)
	}
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = max(n%1000, 0)
		got := Cut(s, n)
		if len(got) > n || !utf8.ValidString(got) || strings.Contains(got, "\x00") || !strings.HasPrefix(ToStorable(s), got) {
			t.Errorf("Cut(%q, %d) = %q", s, n, got)
		}
		if Storable(s) && len(s) <= n && got != s {
			t.Errorf("Cut(%q, %d) = %q changes a short text", s, n, got)
		}
	})
}

func TestCutBytesLeavesNoPartOfACharacter(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"plain", 10, "plain"}, {"plain", 3, "pla"}, {"ü", 1, ""}, {"aü", 2, "a"}, {"aü", 3, "aü"}, {"a😀b", 4, "a"}, {"a😀b", 5, "a😀"}, {"", 0, ""},
		{"a\x00b\xff", 10, "a\x00b\xff"}, {strings.Repeat("\x80", 10), 8, strings.Repeat("\x80", 5)},
	} {
		if got := string(CutBytes([]byte(c.in), c.n)); got != c.want {
			t.Errorf("CutBytes(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

func TestFirstUpper(t *testing.T) {
	for in, want := range map[string]string{"": "", "a": "A", "partition 3": "Partition 3", "übung": "Übung", "😀": "😀", "\xff": "\xff", "3": "3"} {
		if got := FirstUpper(in); got != want {
			t.Errorf("FirstUpper(%q) = %q, want %q", in, got, want)
		}
	}
}
