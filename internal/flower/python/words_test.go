package python

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// What Flower or pip say is shown and stored: it is cut between letters, wherever the limit falls.
func TestWordsAreCutBetweenLetters(t *testing.T) {
	for _, pad := range []string{"", "x", "xx", "xxx"} {
		said := pad + strings.Repeat("😀", 300)
		if got := words(said); !utf8.ValidString(got) || len(got) < 790 || !strings.HasPrefix(said, got) {
			t.Errorf("words: %d bytes, …%q", len(got), got[max(0, len(got)-8):])
		}
		var line string
		relay(strings.NewReader(said+"\n"), 1, func(l string) { line = l })
		if !utf8.ValidString(line) || len(line) < 390 || !strings.HasPrefix(said, line) {
			t.Errorf("relay: %d bytes, …%q", len(line), line[max(0, len(line)-8):])
		}
	}
}
