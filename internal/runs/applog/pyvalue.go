package applog

import (
	"math"
	"strconv"
	"strings"
)

// pyKind is what a printed Python value is, as far as metrics go.
type pyKind int

const (
	pyOther pyKind = iota // None, a text, an object
	pyNumber
	pyText
	pyList // a list, tuple or array
	pyDict
)

// pyValue is a printed Python value: of numpy's and torch's wrappers only what they hold.
type pyValue struct {
	kind   pyKind
	number float64
	text   string
	keys   []string // of a dict, beside its items
	items  []pyValue
}

const (
	pyDepth = 12     // levels of nesting that are read
	pyNodes = 20_000 // values that are read of one text
)

// pyState is how reading went.
type pyState int

const (
	pyWhole pyState = iota
	pyOpen          // the text ends before the value does
	pyBroken
)

// readPython reads the printed value that a text begins with.
func readPython(text string) (pyValue, pyState) {
	r := pyReader{text: text}
	v := r.value(0)
	return v, r.state
}

type pyReader struct {
	text  string
	at    int
	nodes int
	state pyState
}

func (r *pyReader) stop(s pyState) pyValue {
	if r.state == pyWhole {
		r.state = s
	}
	return pyValue{}
}

// next skips blanks and returns the next byte without taking it; 0 at the end.
func (r *pyReader) next() byte {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
	if r.at == len(r.text) {
		return 0
	}
	return r.text[r.at]
}

func (r *pyReader) value(depth int) pyValue {
	if r.nodes++; depth > pyDepth || r.nodes > pyNodes {
		return r.stop(pyBroken)
	}
	switch c := r.next(); {
	case r.state != pyWhole:
		return pyValue{}
	case c == 0:
		return r.stop(pyOpen)
	case c == '{':
		return r.dict(depth)
	case c == '[':
		return r.list(']', depth)
	case c == '(':
		return r.list(')', depth)
	case c == '\'' || c == '"':
		return r.quoted(c)
	case c == '<':
		return r.object()
	case c == '-' || c == '+' || c == '.' || '0' <= c && c <= '9':
		return r.numeral()
	case isWord(c):
		return r.word(depth)
	}
	return r.stop(pyBroken)
}

func isWord(c byte) bool {
	return c == '_' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}

func (r *pyReader) dict(depth int) pyValue {
	r.at++
	v := pyValue{kind: pyDict}
	for r.state == pyWhole {
		switch r.next() {
		case '}':
			r.at++
			return v
		case ',':
			r.at++
			continue
		}
		key := r.value(depth + 1)
		if r.next() != ':' { // a set, or the text ends here
			if r.next() == 0 {
				return r.stop(pyOpen)
			}
			continue
		}
		r.at++
		item := r.value(depth + 1)
		if name := key.name(); name != "" {
			v.keys, v.items = append(v.keys, name), append(v.items, item)
		}
	}
	return v
}

// name is a dict's key as a part of a metric's name; "" for one that cannot be.
func (v pyValue) name() string {
	if v.kind == pyNumber {
		return strconv.FormatFloat(v.number, 'g', -1, 64)
	}
	return v.text
}

// list reads up to the closing bracket. Commas may be missing, as in numpy's "[0.1 0.2]".
func (r *pyReader) list(end byte, depth int) pyValue {
	r.at++
	v := pyValue{kind: pyList}
	for r.state == pyWhole {
		switch r.next() {
		case end:
			r.at++
			return v
		case ',':
			r.at++
			continue
		}
		v.items = append(v.items, r.value(depth+1))
	}
	return v
}

func (r *pyReader) quoted(quote byte) pyValue {
	var out strings.Builder
	for i := r.at + 1; i < len(r.text); i++ {
		switch c := r.text[i]; {
		case c == quote:
			r.at = i + 1
			return pyValue{kind: pyText, text: out.String()}
		case c == '\\' && i+1 < len(r.text):
			i++
			out.WriteByte(r.text[i])
		default:
			out.WriteByte(c)
		}
	}
	return r.stop(pyOpen)
}

// object skips "<class 'float'>" and the like.
func (r *pyReader) object() pyValue {
	n := strings.IndexByte(r.text[r.at:], '>')
	if n < 0 {
		return r.stop(pyOpen)
	}
	r.at += n + 1
	return pyValue{}
}

// numeral reads a number, or the dots that numpy prints for what it leaves out.
func (r *pyReader) numeral() pyValue {
	begin := r.at
	for r.at < len(r.text) && (isWord(r.text[r.at]) || strings.IndexByte("+-", r.text[r.at]) >= 0 && (r.at == begin || strings.IndexByte("eE", r.text[r.at-1]) >= 0)) {
		r.at++
	}
	v, err := strconv.ParseFloat(r.text[begin:r.at], 64)
	if err != nil {
		return pyValue{}
	}
	return pyValue{kind: pyNumber, number: v}
}

// word reads a name: a constant, or a call such as np.float64(0.5), array([0.1, 0.2], dtype=float32) and OrderedDict([('a', 1)]).
func (r *pyReader) word(depth int) pyValue {
	begin := r.at
	for r.at < len(r.text) && isWord(r.text[r.at]) {
		r.at++
	}
	name := r.text[begin:r.at]
	if r.at < len(r.text) {
		switch c := r.text[r.at]; c {
		case '(':
			return r.call(depth)
		case '\'', '"': // b'…'
			r.quoted(c)
			return pyValue{}
		case '=': // a named argument
			r.at++
			r.value(depth + 1)
			return pyValue{}
		}
	}
	switch strings.ToLower(name) {
	case "true":
		return pyValue{kind: pyNumber, number: 1}
	case "false":
		return pyValue{kind: pyNumber}
	case "nan":
		return pyValue{kind: pyNumber, number: math.NaN()}
	case "inf", "infinity":
		return pyValue{kind: pyNumber, number: math.Inf(1)}
	}
	return pyValue{}
}

// call returns the first argument that says something.
func (r *pyReader) call(depth int) pyValue {
	for _, v := range r.list(')', depth).items {
		if v.kind == pyNumber || v.kind == pyDict || v.kind == pyText {
			return v
		}
		if v.kind == pyList {
			return v.paired()
		}
	}
	return pyValue{}
}

// paired makes a dict of a list of pairs whose first is a text; anything else stays what it is.
func (v pyValue) paired() pyValue {
	out := pyValue{kind: pyDict}
	for _, p := range v.items {
		if p.kind != pyList || len(p.items) != 2 || p.items[0].kind != pyText {
			return v
		}
		out.keys, out.items = append(out.keys, p.items[0].text), append(out.items, p.items[1])
	}
	if len(out.keys) == 0 {
		return v
	}
	return out
}
