package catalog

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// shortestLength is the length of the shortest edit by the textbook's table.
func shortestLength(a, b []string) int {
	t := make([][]int, len(a)+1)
	for i := range t {
		t[i] = make([]int, len(b)+1)
		for j := range t[i] {
			switch {
			case i == 0:
				t[i][j] = j
			case j == 0:
				t[i][j] = i
			case a[i-1] == b[j-1]:
				t[i][j] = t[i-1][j-1]
			default:
				t[i][j] = min(t[i-1][j], t[i][j-1]) + 1
			}
		}
	}
	return t[len(a)][len(b)]
}

// A comparison holds both texts whole and in order, and no more changes than are needed.
func TestACompareIsBothTextsAndTheShortest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func() []string {
		out := make([]string, r.IntN(14))
		for i := range out {
			out[i] = string(rune('a' + r.IntN(4)))
		}
		return out
	}
	for range 20000 {
		a, b := text(), text()
		var oldText, newText []string
		edits := 0
		for _, l := range compareLines(a, b) {
			if l.Op != Added {
				oldText = append(oldText, l.Text)
				if l.Old != len(oldText) {
					t.Fatalf("%v %v: old line %d is said to be %d", a, b, len(oldText), l.Old)
				}
			}
			if l.Op != Removed {
				newText = append(newText, l.Text)
				if l.New != len(newText) {
					t.Fatalf("%v %v: new line %d is said to be %d", a, b, len(newText), l.New)
				}
			}
			if l.Op != Same {
				edits++
			}
		}
		if !slices.Equal(oldText, a) || !slices.Equal(newText, b) {
			t.Fatalf("%v and %v came out as %v and %v", a, b, oldText, newText)
		}
		if want := shortestLength(a, b); edits != want {
			t.Fatalf("%v to %v in %d steps, not %d", a, b, edits, want)
		}
	}
}

func TestTextsThatDifferTooMuchAreToldWhole(t *testing.T) {
	a, b := make([]string, 3000), make([]string, 3000)
	for i := range a {
		a[i], b[i] = "a"+string(rune(i+200)), "b"+string(rune(i+200))
	}
	got := compareLines(append(a, "end"), append(b, "end"))
	if len(got) != 6001 || got[0].Op != Removed || got[2999].Op != Removed || got[3000].Op != Added || got[6000].Op != Same {
		t.Errorf("%d lines, beginning with %+v", len(got), got[0])
	}
}
