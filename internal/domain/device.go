package domain

import (
	"crypto/sha256"
	"strings"
)

// CodeAlphabet has no letters or digits that are taken for one another; 32 of them are 5 bits each.
const CodeAlphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"

// NormalCode undoes what people do to a code when they type it: other dashes, spaces, small or full-width letters.
func NormalCode(code string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case strings.ContainsRune(CodeAlphabet, r):
			return r
		}
		return -1
	}, FoldWidth(code))
}

// NormalRef undoes the same in the id of a request, which keeps its one dash.
func NormalRef(ref string) string {
	if c := NormalCode(ref); len(c) == 8 {
		return c[:4] + "-" + c[4:]
	}
	return strings.ToUpper(Line(ref))
}

// DeviceCheck is the last group of the code that a terminal shows: it says which CA (by its pin) the terminal sees. Whoever stands
// between terminal and server shows another CA than the server's, and must show it before the server gives out the code; the
// server compares the two when the code is entered.
func DeviceCheck(code, pin string) string {
	sum := sha256.Sum256([]byte("blossomtune-device:" + NormalCode(code) + ":" + strings.ToLower(pin)))
	var b strings.Builder
	for _, c := range sum[:4] {
		b.WriteByte(CodeAlphabet[int(c)%len(CodeAlphabet)])
	}
	return b.String()
}
