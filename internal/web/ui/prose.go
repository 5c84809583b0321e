package ui

import (
	"regexp"
	"strings"
)

// piece is a part of a text: words, or an address that is a link.
type piece struct{ text, href string }

var addresses = regexp.MustCompile(`https?://[^\s<>"']*[^\s<>"'.,;:!?)\]]|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+`)

// linked finds the addresses of pages and mailboxes in a text.
func linked(text string) (out []piece) {
	at := 0
	for _, m := range addresses.FindAllStringIndex(text, -1) {
		if m[0] > at {
			out = append(out, piece{text: text[at:m[0]]})
		}
		found := text[m[0]:m[1]]
		href := found
		if !strings.HasPrefix(found, "http") {
			href = "mailto:" + found
		}
		out = append(out, piece{found, href})
		at = m[1]
	}
	if at < len(text) {
		out = append(out, piece{text: text[at:]})
	}
	return out
}

// paragraphs are what blank lines part.
func paragraphs(text string) (out []string) {
	for p := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}
