// Package logmask takes secrets out of log lines before they are stored: BlossomTune's own tokens and links, values of
// Authorization headers, private keys in PEM, passwords in addresses, and the shapes of well-known access tokens. It goes by
// shape: a secret that looks like nothing of these stays.
package logmask

import (
	"bytes"
	"strings"
)

// Masked stands where a secret was.
const Masked = "[masked]"

// Masker masks the lines of one stream in their order: a private key goes over many. The zero value is ready; it is not safe
// for concurrent use.
type Masker struct {
	key key
}

// Line appends a line, without its end, to dst with what is secret replaced.
func (m *Masker) Line(dst, line []byte) []byte {
	found := suspects(line)
	if m.key.left == 0 && found == 0 {
		return append(dst, line...)
	}
	if m.key.left > 0 || found&aKey != 0 {
		line = m.keys(line)
	}
	return append(dst, shapes(line, found)...)
}

// Skipped takes note of a part of a line that is not kept: a private key may begin or end in it.
func (m *Masker) Skipped(part []byte) {
	if m.key.left > 0 || bytes.Contains(part, beginKey) {
		m.keys(part)
	}
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
