package domain

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestElementsOfListsHaveNames(t *testing.T) {
	for name, want := range map[string]string{"acc[0]": "acc", "acc[99]": "acc", "a.b[3][7]": "a.b[3]", "acc": "acc", "acc[100]": "acc[100]", "acc[-1]": "acc[-1]", "acc[01]": "acc[01]",
		"[0]": "[0]", "acc[]": "acc[]", "acc[x]": "acc[x]", "acc[0] ": "acc[0] "} {
		if got := WholeName(name); got != want {
			t.Errorf("%q is of %q, want %q", name, got, want)
		}
	}
	if list, i, ok := ListElement(ElementName("per class", 42)); list != "per class" || i != 42 || !ok {
		t.Errorf("%q %d %v", list, i, ok)
	}
}

// Names that are too long are cut, and stay different.
func TestLongMetricNamesStayDifferent(t *testing.T) {
	a, b := FitMetricName(strings.Repeat("é", 150)+"a"), FitMetricName(strings.Repeat("é", 150)+"b")
	if a == b || len(a) > MaxMetricName || !utf8.ValidString(a) || !strings.HasPrefix(a, "éé") {
		t.Errorf("%q and %q", a, b)
	}
	if got := FitMetricName("a\x00b\xff"); !Storable(got) {
		t.Errorf("%q", got)
	}
}

func TestExamplesAreKnownByTheirRecord(t *testing.T) {
	for name, want := range map[string]string{"num-examples": "", "num_examples": "", "train.num-examples": "train", "a.b.num_examples": "a.b"} {
		if got, ok := ExamplesOf(name); !ok || got != want {
			t.Errorf("%q: %q %v", name, got, ok)
		}
	}
	for _, name := range []string{"my-num-examples", "num-examples.x", "examples", ""} {
		if IsExamples(name) {
			t.Errorf("%q counts examples", name)
		}
	}
}
