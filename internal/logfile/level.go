package logfile

import (
	"bytes"
)

// Level is how grave a line is.
type Level uint8

// The levels of Python's logging. A line without one has the level of the line that it continues; what is just printed has none.
const (
	None Level = iota
	Debug
	Info
	Warning
	Error
	Critical
)

var levelNames = []string{None: "", Debug: "debug", Info: "info", Warning: "warning", Error: "error", Critical: "critical"}

// String returns the level's name; empty for None.
func (l Level) String() string { return levelNames[l] }

// MarshalText returns the level's name.
func (l Level) MarshalText() ([]byte, error) { return []byte(levelNames[l]), nil }

// UnmarshalText reads what MarshalText wrote; anything else is None.
func (l *Level) UnmarshalText(text []byte) error {
	*l, _ = ParseLevel(string(text))
	return nil
}

// ParseLevel returns the level with a name; None for the empty one, and for one that is not known, which ok tells.
func ParseLevel(name string) (l Level, ok bool) {
	for i, n := range levelNames {
		if n == name {
			return Level(i), true
		}
	}
	return None, false
}

// atLeast reports whether a line of level l is shown to whom wants least. What is just printed counts as information.
func (l Level) atLeast(least Level) bool {
	if l == None {
		l = Info
	}
	return l >= least
}

// grader gives each line of a log its level, in their order.
type grader struct {
	last  Level // of the line before
	trace bool  // in a traceback
}

// grade returns a line's level. Only the first headLen bytes count, so that whoever has more of the line finds the same.
func (g *grader) grade(line []byte) Level {
	text := unpainted(bytes.TrimRight(line[:min(len(line), headLen)], "\r"))
	l, ok := levelOf(text)
	switch {
	case ok:
		g.trace = false
	case bytes.Contains(text, []byte("Traceback (most recent call last)")):
		l, g.trace = Error, true
	case g.trace:
		l = Error
		if len(text) > 0 && text[0] != ' ' && text[0] != '\t' {
			g.trace = false // the exception itself
		}
	case len(text) > 0 && (text[0] == ' ' || text[0] == '\t'):
		l = g.last
	default:
		l = None
	}
	if bytes.Contains(text, []byte("Traceback (most recent call last)")) {
		l, g.trace = max(l, Error), true
	}
	g.last = l
	return l
}

// unpainted returns the line without ANSI colours; the line itself when it has none.
func unpainted(line []byte) []byte {
	if bytes.IndexByte(line, 0x1b) < 0 {
		return line
	}
	return unpaint(make([]byte, 0, len(line)), line)
}

// unpaint appends a line to dst without its ANSI sequences.
func unpaint(dst, line []byte) []byte {
	for {
		i := bytes.IndexByte(line, 0x1b)
		if i < 0 {
			return append(dst, line...)
		}
		dst = append(dst, line[:i]...)
		line = line[i+1:]
		if len(line) == 0 || line[0] != '[' {
			continue
		}
		j := 1
		for j < len(line) && (line[j] < 0x40 || line[j] > 0x7e) {
			j++
		}
		line = line[min(j+1, len(line)):]
	}
}

var words = []struct {
	text  string
	level Level
}{{"DEBUG", Debug}, {"INFO", Info}, {"WARNING", Warning}, {"WARN", Warning}, {"ERROR", Error}, {"CRITICAL", Critical}, {"FATAL", Critical}}

// levelOf reads a line's level as loggers write it: Flower's "INFO :", Python's "INFO:root:", "level=INFO", or a word of its own
// after a time, as in "2026-11-24 10:00:00,123 - name - INFO -" and "[10:00:00] [INFO]".
func levelOf(line []byte) (Level, bool) {
	line = bytes.TrimLeft(unpainted(line[:min(len(line), 160)]), "[ ")
	if len(line) == 0 {
		return None, false
	}
	if l, n := word(line); n > 0 && bytes.IndexByte([]byte(":]-|"), first(bytes.TrimLeft(line[n:], " "))) >= 0 {
		return l, true
	}
	if !('0' <= line[0] && line[0] <= '9') && !bytes.HasPrefix(line, []byte("time=")) {
		return None, false
	}
	for i := 1; i < min(len(line), 100); i++ {
		if c := line[i-1]; c != ' ' && c != '[' && c != '=' && c != '|' && c != '-' {
			continue
		}
		if l, n := word(line[i:]); n > 0 {
			return l, true
		}
	}
	return None, false
}

func first(s []byte) byte {
	if len(s) == 0 {
		return 'x'
	}
	return s[0]
}

// word returns the level that a text begins with, and the word's length; 0 for none.
func word(s []byte) (Level, int) {
	switch first(s) {
	case 'D', 'I', 'W', 'E', 'C', 'F':
	default:
		return None, 0
	}
	for _, w := range words {
		if len(s) >= len(w.text) && string(s[:len(w.text)]) == w.text {
			if len(s) > len(w.text) && ('A' <= s[len(w.text)]&^0x20 && s[len(w.text)]&^0x20 <= 'Z') {
				continue
			}
			return w.level, len(w.text)
		}
	}
	return None, 0
}
