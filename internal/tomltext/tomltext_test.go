package tomltext

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

func TestKeysAreListedInTheOrderOfTheText(t *testing.T) {
	text := "a = '''\nb = 1\n'''\n# c = 1\n\"d e\".f = 2\r\n\n[g.h]\ni = { j = 1, k.l = { m = [\n  2,\n] } }\n[[n]]\no = 1\n[[n]]\no = 2\n= broken\np = 1\n"
	var got []string
	for _, k := range Keys([]byte(text)) {
		got = append(got, fmt.Sprint(k.Line, " ", k.Name()))
	}
	want := "1 a, 5 d e.f, 7 g.h, 8 g.h.i, 8 g.h.i.j, 8 g.h.i.k.l, 8 g.h.i.k.l.m, 11 n, 12 n.o, 13 n, 14 n.o"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
	lines := Lines([]byte(text))
	for name, want := range map[string]int{"n.o": 12, "g.h.i.j": 8, "g.h.i.unknown": 8, "g.x": 0, "n.y": 11, "zz": 0} {
		if n := LineOf(lines, name); n != want {
			t.Errorf("%s is on line %d, want %d", name, n, want)
		}
	}
}

func TestAFaultHasALineAndNamesNoTypeOfOurs(t *testing.T) {
	for text, want := range map[string]string{
		"a = 1\na = 2":       "2: key a is already defined",
		"\n[t]\nname = 3":    "3: t.name has the wrong type (integer)",
		"[t]\nname = [1, 2]": "2: t.name has the wrong type (array)",
		"t = 1":              "1: t has the wrong type (integer)",
	} {
		var into struct{ T struct{ Name string } }
		line, cause := Fault(toml.Unmarshal([]byte(text), &into))
		if got := fmt.Sprintf("%d: %s", line, cause); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if line, cause := Fault(fmt.Errorf("Out of paper.")); line != 0 || cause != "Out of paper" {
		t.Errorf("another error: %d, %q", line, cause)
	}
}
