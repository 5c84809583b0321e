package pyerror

import (
	"strconv"
	"strings"
)

// Frame is one line of a traceback.
type Frame struct {
	Path string
	Line int
	Func string // "" where a SyntaxError points at the line
	Code string // the source, on one line; may be ""
}

// Relation says how an exception of a chain came from the one before it.
type Relation string

// Relations, as Python tells them.
const (
	First   Relation = ""        // it is the first of its chain
	Cause   Relation = "cause"   // raise … from
	Context Relation = "context" // raised while the one before it was handled
)

// Exception is an exception as Python prints it.
type Exception struct {
	Module  string // requests.exceptions; "" of one that is built in
	Kind    string // ConnectionError, without its module
	Message string // its first line
	More    []string
	Frames  []Frame // the outermost first
	Line    int     // index of the line with its kind in the text
	From    Relation
	Group   string // the kind of the group that it was raised in; "" for none
	Others  int    // further exceptions of that group
}

// Full is the message with all of its lines, and the notes that follow it.
func (e Exception) Full() string {
	return strings.Join(append([]string{e.Message}, e.More...), "\n")
}

const (
	header      = "Traceback (most recent call last):"
	causeWords  = "The above exception was the direct cause of the following exception:"
	contextWord = "During handling of the above exception, another exception occurred:"
	maxMore     = 60 // lines of a message that are kept
)

var (
	ansiPattern      = lazily("\x1b\\[[0-9;]*m")
	framePattern     = lazily(`^\s+File "([^"]+)", line (\d{1,9})(?:, in (.+))?$`)
	exceptionPattern = lazily(`^((?:[A-Za-z_]\w*\.|<locals>\.)*)([A-Za-z_]\w*)(?:: ?(.*))?$`)
	logPattern       = lazily(`^(?:DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL)\s*:`)
	markPattern      = lazily(`^[\s~^]+$`)
	groupPattern     = lazily(`^ *[|+] ?(.*)$`)
	memberPattern    = lazily(`^ *\+(?:-\+)?-{8,}(?: (?:\d+|\.\.\.) -{8,})?$`)
	raisedPattern    = lazily(`(?:ServerApp|ClientApp) raised an exception\s*$`)
)

// Parse returns the chain of exceptions that ended a Flower App: that after Flower's own words, else the last in the text. The last
// element is the exception that was raised last. It is nil where the text has none.
func Parse(lines []string) []Exception {
	r := reader{}
	flower := -1
	plain := make([]string, len(lines))
	for i, l := range lines {
		plain[i] = strings.TrimRight(ansiPattern().ReplaceAllString(l, ""), "\r")
		if raisedPattern().MatchString(plain[i]) {
			flower = i
		}
	}
	if flower >= 0 {
		r.only = true
		r.read(plain, flower+1)
		if len(r.chain) == 0 && flower+1 < len(plain) { // one without a traceback
			r.chain = bare(plain[flower+1:], flower+1)
		}
		if len(r.chain) > 0 {
			return r.chain
		}
	}
	r = reader{}
	r.read(plain, 0)
	return r.chain
}

// bare reads an exception that was raised without a traceback.
func bare(lines []string, at int) []Exception {
	e, ok := exceptionIn(lines[0])
	if !ok {
		return nil
	}
	e.Line = at
	for _, l := range lines[1:min(len(lines), maxMore)] {
		if logPattern().MatchString(l) {
			break
		}
		e.More = append(e.More, l)
	}
	return []Exception{e}
}

func exceptionIn(line string) (Exception, bool) {
	m := exceptionPattern().FindStringSubmatch(line)
	if m == nil {
		return Exception{}, false
	}
	return Exception{Module: strings.TrimSuffix(m[1], "."), Kind: m[2], Message: strings.TrimSpace(m[3])}, true
}

// reader takes lines in one by one.
type reader struct {
	chain  []Exception
	only   bool // the first chain, not the last
	from   Relation
	linked bool // the words that join two exceptions were read last
	frames []Frame
	inside bool // of a traceback, before its exception
	said   bool // an exception was read; lines of its message may follow
}

func (r *reader) read(lines []string, at int) {
	for i := at; i < len(lines); i++ {
		l := lines[i]
		switch {
		case strings.Contains(l, "Exception Group "+header):
			if r.over() {
				return
			}
			n := groupLines(lines[i:])
			r.group(lines[i:i+n], i)
			i += n - 1
		case strings.Contains(l, header):
			if r.over() {
				return
			}
			r.begin()
		case l == causeWords:
			r.from, r.linked = Cause, true
		case l == contextWord:
			r.from, r.linked = Context, true
		case r.inside:
			r.traceback(l, i)
		case framePattern().MatchString(l) && !r.said && len(r.chain) == 0: // its beginning is cut off
			r.begin()
			r.traceback(l, i)
		case r.said:
			r.more(l)
		}
	}
}

// over reports whether a traceback that begins belongs to another chain than the one that is wanted.
func (r *reader) over() bool { return r.only && len(r.chain) > 0 && !r.linked }

func (r *reader) begin() {
	if !r.linked {
		r.chain, r.from = nil, First
	}
	r.inside, r.said, r.linked, r.frames = true, false, false, nil
}

func (r *reader) traceback(l string, i int) {
	if m := framePattern().FindStringSubmatch(l); m != nil {
		n, _ := strconv.Atoi(m[2]) // the pattern gives at most nine digits
		r.frames = append(r.frames, Frame{Path: m[1], Line: n, Func: m[3]})
		return
	}
	if strings.TrimSpace(l) == "" {
		return
	}
	if l[0] == ' ' || l[0] == '\t' {
		if last := len(r.frames) - 1; last >= 0 && r.frames[last].Code == "" && !markPattern().MatchString(l) &&
			!strings.HasPrefix(l, "  [Previous line") {
			r.frames[last].Code = strings.TrimSpace(l)
		}
		return
	}
	r.inside = false
	if e, ok := exceptionIn(l); ok {
		e.Frames, e.Line, e.From = r.frames, i, r.from
		r.chain, r.said = append(r.chain, e), true
	}
}

func (r *reader) more(l string) {
	last := &r.chain[len(r.chain)-1]
	if logPattern().MatchString(l) || len(last.More) >= maxMore {
		r.said = false
		return
	}
	if l != "" || len(last.More) > 0 && last.More[len(last.More)-1] != "" {
		last.More = append(last.More, l)
	}
}

// groupLines counts the lines of an exception group, which Python draws with a margin.
func groupLines(lines []string) int {
	for i, l := range lines {
		if i > 0 && !groupPattern().MatchString(l) {
			return i
		}
	}
	return len(lines)
}

// group reads an exception group as the first of the exceptions in it that is no group itself.
func (r *reader) group(lines []string, at int) {
	linked, from := r.linked, r.from
	parts := [][]string{nil}
	starts := []int{at}
	for i, l := range lines {
		if memberPattern().MatchString(l) {
			parts, starts = append(parts, nil), append(starts, at+i+1)
			continue
		}
		l = groupPattern().ReplaceAllString(l, "$1")
		parts[len(parts)-1] = append(parts[len(parts)-1], strings.Replace(l, "Exception Group Traceback", "Traceback", 1))
	}
	var whole, first Exception
	leaves := 0
	for i, p := range parts {
		inner := reader{}
		inner.read(p, 0)
		found := inner.chain
		if len(found) == 0 && len(p) > 0 {
			found = bare(p, 0)
		}
		if len(found) == 0 {
			continue
		}
		e := found[len(found)-1]
		e.Line += starts[i]
		switch {
		case i == 0:
			whole = e
		case strings.HasSuffix(e.Kind, "ExceptionGroup"):
		default:
			if leaves++; leaves == 1 {
				first = e
			}
		}
	}
	if leaves == 0 {
		first = whole
	} else {
		first.Group, first.Others = whole.Kind, leaves-1
		first.Frames = append(append([]Frame{}, whole.Frames...), first.Frames...)
	}
	if !linked {
		r.chain, from = nil, First
	}
	r.inside, r.said, r.linked, r.from = false, false, false, First
	if first.Kind != "" {
		first.From = from
		r.chain = append(r.chain, first)
	}
}
