package logfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"regexp/syntax"
	"strings"

	"blossomtune/internal/domain"
)

// Search asks for lines of a whole log.
type Search struct {
	Text    string // a part of the line, whatever its case; with Pattern a regular expression (RE2)
	Pattern bool
	Least   Level
}

// Bounds of a search.
const (
	maxSearchText = 300
	MaxNumbers    = 10_000 // line numbers of hits that are told; all are counted
	MaxShown      = 100    // hits that are told with the lines around
	Around        = 5      // lines before and after such a hit
)

// Hit is a line that was searched for, among those around it.
type Hit struct {
	N     int    `json:"n"`
	Lines []Line `json:"lines"`
}

// Found is a part of what a search finds, in the order of the log.
type Found struct {
	Numbers []int `json:"numbers,omitempty" doc:"Lines that are hits"`
	Hits    []Hit `json:"hits,omitempty" doc:"The first hits, with the lines around"`
	Lines   int   `json:"lines" doc:"How far the log is searched"`
	Count   int   `json:"count" doc:"Hits so far"`
	Total   int   `json:"total" doc:"Lines of the log"`
	Done    bool  `json:"done"`
	Cut     bool  `json:"cut,omitempty" doc:"It took too long: the rest is not searched"`
}

// matcher tells whether a line, without colours, is a hit.
type matcher func(line []byte) bool

func (s Search) matcher() (matcher, error) {
	switch {
	case s.Text == "":
		return nil, domain.Errorf(domain.Invalid, "There is nothing to search for.").At("q")
	case len(s.Text) > maxSearchText:
		return nil, domain.Errorf(domain.Invalid, "What is searched for has up to %d bytes.", maxSearchText).At("q")
	}
	if !s.Pattern && isASCII(s.Text) {
		return containing(s.Text), nil
	}
	text := s.Text
	if !s.Pattern {
		text = regexp.QuoteMeta(text)
	}
	re, err := regexp.Compile("(?i)" + text)
	if err != nil {
		var bad *syntax.Error
		why := err.Error()
		if errors.As(err, &bad) {
			why = bad.Code.String()
		}
		return nil, domain.Errorf(domain.Invalid, "This is no regular expression: %s.", why).
			Fix("Switch the pattern off to search for the text itself.").At("q").Because(err)
	}
	if tree, err := syntax.Parse(text, syntax.Perl); err == nil {
		if has := needed(tree); has != "" {
			glance := containing(has)
			return func(line []byte) bool { return glance(line) && re.Match(line) }, nil
		}
	}
	return re.Match, nil
}

// containing matches lines that have a text of ASCII, whatever the case.
func containing(text string) matcher {
	want := []byte(strings.ToLower(text))
	var low []byte
	return func(line []byte) bool {
		low = lower(low[:0], line)
		return bytes.Contains(low, want)
	}
}

// needed returns the longest text of ASCII that each match of a pattern has; empty if there is none. Looking for it first makes
// most patterns as fast as a text.
func needed(re *syntax.Regexp) (text string) {
	switch re.Op {
	case syntax.OpLiteral:
		if s := string(re.Rune); isASCII(s) && !strings.ContainsAny(s, "kKsS") { // these two fold with letters beyond ASCII
			return s
		}
		for part := range strings.FieldsFuncSeq(string(re.Rune), func(r rune) bool { return r >= 0x80 || strings.ContainsRune("kKsS", r) }) {
			if len(part) > len(text) {
				text = part
			}
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if t := needed(sub); len(t) > len(text) {
				text = t
			}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return needed(re.Sub[0])
	}
	return text
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// folding has each byte's lower case.
var folding = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if 'A' <= i && i <= 'Z' {
			t[i] |= 0x20
		}
	}
	return t
}()

func lower(dst, s []byte) []byte {
	dst = append(dst, s...)
	for i, c := range dst {
		dst[i] = folding[c]
	}
	return dst
}

// Search looks through the whole log, and calls each with what it finds as it goes, the last time with Done. It ends with ctx:
// at its deadline with Cut.
func (f *File) Search(ctx context.Context, s Search, each func(Found) error) error {
	match, err := s.matcher()
	if err != nil {
		return err
	}
	v, err := f.view()
	if err != nil {
		return err
	}
	run := searching{f: f, v: v, match: match, least: s.Least, each: each}
	run.Total = v.lines
	file, err := OpenToRead(f.path)
	if errors.Is(err, os.ErrNotExist) {
		run.Done = true
		return each(run.Found)
	}
	if err != nil {
		return fmt.Errorf("opening log: %w", err)
	}
	defer file.Close()
	return run.all(ctx, file)
}

// searching is one search as it goes.
type searching struct {
	Found
	f     *File
	v     view
	match matcher
	least Level
	each  func(Found) error
	told  int // of Numbers, all in all
	plain []byte
}

// tellEvery is after how many blocks is told how far it is.
const tellEvery = 100

func (r *searching) all(ctx context.Context, file *os.File) error {
	buf := make([]byte, 0, 256<<10)
	for b, bl := range r.v.blocks {
		if ctx.Err() != nil {
			break
		}
		last := min((b+1)*stride, r.v.lines)
		if last <= b*stride {
			break
		}
		if bl.has(r.least, last == (b+1)*stride) {
			text, err := r.text(file, b, buf)
			if err != nil {
				return err
			}
			r.block(b*stride+1, last, bl.before, text)
			buf = text[:0]
		}
		if r.Lines = last; len(r.Hits) > 0 || len(r.Numbers) > 1000 || b%tellEvery == tellEvery-1 {
			if err := r.tell(); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	r.Done, r.Cut = true, r.Lines < r.v.lines
	return r.tell()
}

// text reads a block.
func (r *searching) text(file *os.File, b int, buf []byte) ([]byte, error) {
	from := r.v.blocks[b].offset
	to := int64(-1)
	if b+1 < len(r.v.blocks) {
		to = r.v.blocks[b+1].offset
	} else if st, err := file.Stat(); err == nil {
		to = st.Size()
	}
	n := max(0, to-from)
	if int64(cap(buf)) < n {
		buf = make([]byte, 0, n+n/4)
	}
	text := buf[:n]
	got, err := file.ReadAt(text, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading log: %w", err)
	}
	return text[:got], nil
}

func (r *searching) block(n, last int, g grader, text []byte) {
	for ; n <= last; n++ {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			return
		}
		line := text[:min(i, MaxLine)]
		text = text[i+1:]
		level := None
		if r.least != None {
			level = g.grade(line)
		}
		if r.least != None && !level.atLeast(r.least) {
			continue
		}
		if bytes.IndexByte(line, 0x1b) >= 0 {
			r.plain = unpaint(r.plain[:0], line)
			line = r.plain
		}
		if r.match(line) {
			r.hit(n)
		}
	}
}

func (r *searching) hit(n int) {
	r.Count++
	if r.told < MaxNumbers {
		r.told++
		r.Numbers = append(r.Numbers, n)
	}
	if r.Count <= MaxShown {
		r.Hits = append(r.Hits, Hit{N: n})
	}
}

// tell gives out what was found since the last time. Lines around hits that overlap are told once.
func (r *searching) tell() error {
	for i, h := range r.Hits {
		p, err := r.f.Page(Query{From: h.N - Around, Limit: min(2*Around+1, Around+h.N)})
		if err != nil {
			return err
		}
		r.Hits[i].Lines = p.Lines
	}
	err := r.each(r.Found)
	r.Numbers, r.Hits = nil, nil
	return err
}
