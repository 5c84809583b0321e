package logmask

import (
	"bytes"
	"regexp"
	"unicode"
)

// A private key goes over several lines, and nothing says that its end comes: a message may quote only its first line, a process may
// die within it. So a line after the first is masked only where it has the form of a key's, and the key is over when lines of that
// form stop.
const (
	keyLines  = 400 // the most lines of a key; the largest in use, of RSA with 16,384 bits, has 200
	keyGap    = 20  // as many other lines in a row end a key: other threads may write theirs in between
	keyAfter  = 3   // as many follow a line that is shorter than the key's others: that is its last
	pemLen    = 60  // the least letters of a line that is taken for a key's whatever it looks like, right after the key's lines
	aloneLen  = 24  // the least letters of a key's line that has nothing else
	withinLen = 40  // the least letters of one with other text before it
)

// key is where a stream is in a private key. The zero value is in none.
type key struct {
	left   int    // lines that it may still have; 0: in none
	gap    int    // lines in a row that are not the key's
	width  int    // of its first line
	before []byte // what stands before each of its lines, as a logger's level
	last   bool   // the line before this one is the key's
}

var (
	beginKey = []byte("-----BEGIN ")
	keyBegin = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY( BLOCK)?-----`)
	keyEnd   = regexp.MustCompile(`-----END [A-Z0-9 ]{0,40}PRIVATE KEY( BLOCK)?-----`)
	keyRun   = regexp.MustCompile(`[A-Za-z0-9+/=]+`)
)

// keys masks what of the line lies in private keys, and notes whether the next line does.
func (m *Masker) keys(line []byte) []byte {
	var out []byte
	for {
		begin := keyBegin.FindIndex(line)
		if m.key.left > 0 {
			end := keyEnd.FindIndex(line)
			if end == nil && begin == nil {
				return append(out, m.key.body(line)...)
			}
			if end != nil && (begin == nil || end[0] < begin[0]) {
				m.key = key{}
				if body := line[:end[0]]; len(body) > 0 {
					out = append(out, Masked...)
				}
				out = append(out, line[end[0]:end[1]]...)
				line = line[end[1]:]
				continue
			}
		}
		if begin == nil {
			return append(out, line...)
		}
		out = append(out, line[:begin[1]]...)
		line = line[begin[1]:]
		m.key = key{left: keyLines, last: true}
		if len(line) == 0 {
			return out
		}
		if keyEnd.FindIndex(line) == nil { // the rest of this line is the key's, however it is written
			return append(out, Masked...)
		}
	}
}

// body masks a line after a key's first if it is the key's.
func (k *key) body(line []byte) []byte {
	k.left--
	run := longest(line)
	text := line[run[0]:run[1]]
	alone := len(bytes.TrimSpace(line)) == len(text)
	switch {
	case alone && k.gap == 0 && len(text) >= pemLen, likeKey(text) && (alone && len(text) >= aloneLen || len(text) >= withinLen):
		k.gap, k.last = 0, true
		if k.width == 0 {
			k.width = len(text)
		} else if len(text) < k.width {
			k.gap = keyGap - keyAfter
		}
		k.before = append(k.before[:0], line[:run[0]]...)
	case k.last && k.width > 0 && len(text) > 0 && len(text)%4 == 0 && bytes.Equal(bytes.TrimSpace(line[run[1]:]), nil) &&
		bytes.Equal(line[:run[0]], k.before):
		k.gap, k.last = keyGap-keyAfter, false // the short end of a key
	default:
		k.last = false
		if k.gap++; k.gap >= keyGap {
			*k = key{}
		}
		return line
	}
	return append(append(bytes.Clone(line[:run[0]]), Masked...), line[run[1]:]...)
}

// likeKey tells random letters from words, hashes and paths.
func likeKey(text []byte) bool {
	return bytes.ContainsFunc(text, unicode.IsUpper) && bytes.ContainsFunc(text, unicode.IsLower) &&
		8*bytes.Count(text, []byte("/")) <= len(text)
}

// longest returns where the longest run of a key's letters is in a line.
func longest(line []byte) (at [2]int) {
	for _, r := range keyRun.FindAllIndex(line, -1) {
		if r[1]-r[0] > at[1]-at[0] {
			at = [2]int{r[0], r[1]}
		}
	}
	return at
}
