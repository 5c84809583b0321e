// Package logmask takes secrets out of log lines before they are stored: BlossomTune's own tokens and links, values of
// Authorization headers, private keys in PEM, passwords in addresses, and the shapes of well-known access tokens. It goes by
// shape: a secret that looks like nothing of these stays.
package logmask

import (
	"bytes"
	"regexp"
	"strings"
)

// Masked stands where a secret was.
const Masked = "[masked]"

// keyLines is after how many lines a private key that has no end is taken to be over: the largest in use, of RSA with 16,384
// bits, has 200.
const keyLines = 400

// Masker masks the lines of one stream in their order: a private key goes over many. The zero value is ready; it is not safe
// for concurrent use.
type Masker struct {
	inKey int // lines that the key we are in may still have; 0: in none
}

// Line appends a line, without its end, to dst with what is secret replaced.
func (m *Masker) Line(dst, line []byte) []byte {
	found := suspects(line)
	if m.inKey == 0 && found == 0 {
		return append(dst, line...)
	}
	if m.inKey > 0 || found&aKey != 0 {
		line = m.keys(line)
	}
	return append(dst, shapes(line, found)...)
}

// Skipped takes note of a part of a line that is not kept: a private key may begin or end in it.
func (m *Masker) Skipped(part []byte) {
	if m.inKey > 0 || bytes.Contains(part, beginKey) {
		m.keys(part)
	}
}

var (
	beginKey = []byte("-----BEGIN ")
	keyBegin = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY( BLOCK)?-----`)
	keyEnd   = regexp.MustCompile(`-----END [A-Z0-9 ]{0,40}PRIVATE KEY( BLOCK)?-----`)
	keyRun   = regexp.MustCompile(`[A-Za-z0-9+/=]{16,}`)
	keyAlone = regexp.MustCompile(`^[A-Za-z0-9+/=]+$`)
)

// keys masks what of the line lies in private keys, and notes whether the next line does.
func (m *Masker) keys(line []byte) []byte {
	var out []byte
	for {
		if m.inKey > 0 {
			end := keyEnd.FindIndex(line)
			if end == nil {
				m.inKey--
				return append(out, keyBody(line)...)
			}
			m.inKey = 0
			if body := line[:end[0]]; len(body) > 0 {
				out = append(out, Masked...)
			}
			out = append(out, line[end[0]:end[1]]...)
			line = line[end[1]:]
		}
		begin := keyBegin.FindIndex(line)
		if begin == nil {
			return append(out, line...)
		}
		out = append(out, line[:begin[1]]...)
		line = line[begin[1]:]
		m.inKey = keyLines
		if len(line) == 0 {
			return out
		}
		if keyEnd.FindIndex(line) == nil { // the rest of this line is the key's, however it is written
			return append(out, Masked...)
		}
	}
}

// keyBody masks what may be a key's in one of its lines: other threads may write theirs in between, and those stay readable.
func keyBody(line []byte) []byte {
	if keyAlone.Match(bytes.TrimSpace(line)) {
		return []byte(Masked)
	}
	return keyRun.ReplaceAll(line, []byte(Masked))
}

// Text returns a text of some lines without its secrets.
func Text(s string) string {
	var m Masker
	var out []byte
	for rest, more := s, true; more; {
		var line string
		line, rest, more = strings.Cut(rest, "\n")
		out = m.Line(out, []byte(line))
		if more {
			out = append(out, '\n')
		}
	}
	return string(out)
}
