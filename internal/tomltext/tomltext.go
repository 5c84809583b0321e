// Package tomltext says where things are in a TOML text: the line of each key, and the line and cause of a mistake. Decoding is
// go-toml's; what keys and values mean belongs to the packages that read them.
package tomltext

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Key is a key or table of a text.
type Key struct {
	Path []string // its whole name, with the tables that it is in
	Line int      // from 1
}

// Name returns the parts of the key's name with dots between them.
func (k Key) Name() string { return strings.Join(k.Path, ".") }

// Keys lists the keys and tables of a text in its order, those of inline tables included. The list ends at the first mistake.
func Keys(text []byte) []Key {
	w := walker{text: text, line: 1}
	w.parser.Reset(text)
	var table []string
	for w.parser.NextExpression() {
		e := w.parser.Expression()
		if e.Kind == unstable.KeyValue {
			w.add(table, e)
			continue
		}
		table = w.key(nil, e)
	}
	return w.keys
}

// Lines returns the line on which each key and table first appears, by its name.
func Lines(text []byte) map[string]int {
	out := map[string]int{}
	for _, k := range Keys(text) {
		if _, known := out[k.Name()]; !known {
			out[k.Name()] = k.Line
		}
	}
	return out
}

// LineOf returns the line of a key in what [Lines] returned, or else that of the nearest table around it; 0 without either.
func LineOf(lines map[string]int, name string) int {
	for {
		if n, ok := lines[name]; ok {
			return n
		}
		i := strings.LastIndexByte(name, '.')
		if i < 0 {
			return 0
		}
		name = name[:i]
	}
}

type walker struct {
	parser unstable.Parser
	text   []byte
	offset int // the byte up to which line counts
	line   int
	keys   []Key
}

// add notes a key with its value, and the keys of an inline table.
func (w *walker) add(table []string, e *unstable.Node) {
	path := w.key(table, e)
	if v := e.Value(); v.Kind == unstable.InlineTable {
		for c := v.Children(); c.Next(); {
			w.add(path, c.Node())
		}
	}
}

// key notes the key of a node, which is below table, and returns its whole name.
func (w *walker) key(table []string, n *unstable.Node) []string {
	path, line := append([]string(nil), table...), 0
	for k := n.Key(); k.Next(); {
		path = append(path, string(k.Node().Data))
		if line == 0 {
			line = w.lineAt(int(k.Node().Raw.Offset))
		}
	}
	w.keys = append(w.keys, Key{path, line})
	return path
}

// lineAt counts on from the key before: the parser's own count begins at the start of the text each time.
func (w *walker) lineAt(offset int) int {
	w.line += bytes.Count(w.text[w.offset:offset], []byte("\n"))
	w.offset = offset
	return w.line
}

// Fault returns the line and the cause of an error of go-toml: a phrase without a capital or a full stop. The line is 0 where the
// error has none.
func Fault(err error) (line int, cause string) {
	cause = strings.TrimPrefix(err.Error(), "toml: ")
	var d *toml.DecodeError
	if errors.As(err, &d) {
		line, _ = d.Position()
		cause = strings.TrimPrefix(d.Error(), "toml: ")
		if len(d.Key()) > 0 && strings.HasPrefix(cause, "cannot decode TOML ") { // the rest names a type of ours
			kind, _, _ := strings.Cut(strings.TrimPrefix(cause, "cannot decode TOML "), " into ")
			cause = fmt.Sprintf("%s has the wrong type (%s)", strings.Join(d.Key(), "."), kind)
		}
	}
	return line, strings.TrimSuffix(cause, ".")
}
