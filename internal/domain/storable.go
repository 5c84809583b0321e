package domain

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Storable reports whether both databases can hold s as text: valid UTF-8 without NUL.
func Storable(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }

// ToStorable returns s with everything that is not [Storable] replaced by U+FFFD.
func ToStorable(s string) string {
	if Storable(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// Cut returns the beginning of [ToStorable](s), at most n bytes long. It never splits a character.
func Cut(s string, n int) string {
	if s = ToStorable(s); len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// CutBytes returns the beginning of b, at most n bytes long, without a part of a character at its end. Nothing is copied or replaced.
func CutBytes(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	for range utf8.UTFMax - 1 { // what is longer is no character
		if n > 0 && !utf8.RuneStart(b[n]) {
			n--
		}
	}
	return b[:n]
}

// FirstUpper returns s with its first letter in upper case.
func FirstUpper(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// CheckText returns an [Invalid] error at the field unless s is [Storable].
func CheckText(field, s string) error {
	if Storable(s) {
		return nil
	}
	return Errorf(Invalid, "This text contains a NUL character or bytes that are not valid UTF-8.").
		Fix("Type it again instead of pasting it.").At(field)
}
