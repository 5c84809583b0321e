package domain

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Text returns a text of several lines, typed, pasted or read from a file, as people see it: UTF-8 with "\n" between its lines, without
// byte order marks, invisible characters and control characters, and without blank space around it. UTF-16 with a byte order mark is
// converted; bytes that are not UTF-8 become the replacement character.
func Text(s string) string {
	s = norm.NFC.String(strings.ToValidUTF8(fromUTF16(s), "\ufffd"))
	s = lineEnds.Replace(s)
	var b strings.Builder
	b.Grow(len(s))
	last := rune(0)
	for i, r := range s {
		switch {
		case joiner(r):
			next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
			if !joins(last) || !joins(next) {
				continue
			}
		case invisible(r):
			continue
		case r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.IsSpace(r)):
			r = ' '
		}
		b.WriteRune(r)
		last = r
	}
	return strings.TrimSpace(b.String())
}

// Line returns a text as [Text] does, on one line: any blank space becomes one space.
func Line(s string) string { return strings.Join(strings.Fields(Text(s)), " ") }

var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n", "\v", "\n", "\f", "\n")

// fromUTF16 converts what begins with a byte order mark of UTF-16; anything else is returned as it is.
func fromUTF16(s string) string {
	var order binary.ByteOrder = binary.LittleEndian
	rest, marked := strings.CutPrefix(s, "\xff\xfe")
	if !marked {
		if rest, marked = strings.CutPrefix(s, "\xfe\xff"); !marked {
			return s
		}
		order = binary.BigEndian
	}
	units := make([]uint16, 0, len(rest)/2)
	for pair := range slices.Chunk([]byte(rest), 2) {
		if len(pair) == 2 {
			units = append(units, order.Uint16(pair))
		}
	}
	return string(utf16.Decode(units))
}

// ByteOrderMark is the fault of a file that is UTF-8 with a mark before it.
const ByteOrderMark = "begins with a byte order mark"

// EncodingFault names what keeps a file from being read as plain UTF-8, such as "begins with a byte order mark"; "" if nothing does.
func EncodingFault(text []byte) string {
	switch {
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return "is encoded as UTF-16"
	case bytes.HasPrefix(text, []byte("\ufeff")):
		return ByteOrderMark
	case !utf8.Valid(text):
		return "is not encoded as UTF-8"
	}
	return ""
}

// invisible reports whether a character shows nothing: zero-width ones, marks and overrides of direction, tags, fillers. With them, two
// names that look the same differ, and a name can change how the text after it reads.
func invisible(r rune) bool {
	switch r {
	case '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u2800', '\u3164', '\uffa0', '\uffef':
		return true
	}
	return unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) || r >= 0xfff0 && r <= 0xfffb ||
		r >= 0xe0000 && r <= 0xe0fff
}

// joiner reports whether a character is one of the two that some scripts, and emoji, need between letters.
func joiner(r rune) bool { return r == '\u200c' || r == '\u200d' }

var joined = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Nko, unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati,
	unicode.Oriya,
	unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar, unicode.Tibetan,
	unicode.So, unicode.Sk, unicode.Variation_Selector,
}

func joins(r rune) bool { return unicode.In(r, joined...) }
