// Package logfile keeps the log files of processes and reads them: by line number, level, round and time, without holding them
// in memory. The file is the truth; a reader may come and go at any time and finds every line exactly once.
package logfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"blossomtune/internal/domain"
)

// MaxLine is the longest line kept and given out, in bytes; what is longer is cut, and the cut is said in the line.
const MaxLine = 16 << 10

// Line is one line of a log file.
type Line struct {
	N     int    `json:"n"`                                                       // from 1
	At    int64  `json:"at,omitempty" doc:"When it came, Unix milliseconds"`      // 0: unknown
	Level Level  `json:"level,omitzero" enum:"debug,info,warning,error,critical"` // of the line itself or what it continues
	Text  string `json:"text"`
}

// File reads one log file. It is safe for use by several goroutines. The file need not exist yet.
type File struct {
	path string

	mu  sync.Mutex
	ix  index
	of  os.FileInfo // what the index is of
	gen int         // how often the file was replaced by another
}

// New returns a reader of the file at path, which may appear later.
func New(path string) *File { return &File{path: path, ix: newIndex()} }

// Path returns the file's path.
func (f *File) Path() string { return f.path }

// Total counts the file's complete lines, reading only what was added since the last call.
func (f *File) Total() (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.catchUp()
	return f.ix.lines, err
}

// catchUp indexes what was added. A file that was rotated or cut is begun anew.
func (f *File) catchUp() error {
	st, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at log: %w", err)
	}
	if f.of != nil && (!os.SameFile(f.of, st) || st.Size() < f.ix.offset) {
		f.ix, f.gen = newIndex(), f.gen+1
	}
	if f.of != nil && os.SameFile(f.of, st) && st.Size() == f.of.Size() && f.ix.lines > 0 {
		return nil
	}
	file, err := OpenToRead(f.path)
	if err != nil {
		return fmt.Errorf("opening log: %w", err)
	}
	defer file.Close()
	if st, err = file.Stat(); err != nil {
		return fmt.Errorf("looking at log: %w", err)
	}
	f.of = st
	return f.ix.read(file, make([]byte, 256<<10))
}

// view is what a reader of one moment needs of the index.
type view struct {
	lines  int
	blocks []block // never changed, only appended to
	gen    int
}

func (f *File) view() (view, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.catchUp()
	return view{lines: f.ix.lines, blocks: f.ix.blocks, gen: f.gen}, err
}

// Lines returns up to limit complete lines from line number from (1 is the first), and how many complete lines the file has.
func (f *File) Lines(from, limit int) ([]Line, int, error) {
	p, err := f.Page(Query{From: from, Limit: limit})
	return p.Lines, p.Total, err
}

// Tail returns the last complete lines, at most limit, and the total.
func (f *File) Tail(limit int) ([]Line, int, error) {
	total, err := f.Total()
	if err != nil {
		return nil, total, err
	}
	return f.Lines(total-limit+1, limit)
}

// Query asks for a page of a log.
type Query struct {
	From  int   // the first line; of a query that goes back the line before which it ends
	Limit int   // lines at most
	Back  bool  // the last lines before From instead of the first ones from it on
	Least Level // only lines that are at least so grave; None: all
}

// Page is a part of a log.
type Page struct {
	Lines []Line `json:"lines"`
	Total int    `json:"total" doc:"Complete lines so far"`
	Next  int    `json:"next" doc:"The line to go on from; of a page that goes back, to go back before"`
	Gen   int    `json:"gen" doc:"Changes when the log was rotated and starts again"`
}

// Page returns a page.
func (f *File) Page(q Query) (Page, error) {
	v, err := f.view()
	q.From = max(q.From, 1)
	p := Page{Lines: []Line{}, Total: v.lines, Next: q.From, Gen: v.gen}
	if err != nil || v.lines == 0 || q.Limit < 1 || !q.Back && q.From > v.lines {
		return p, err
	}
	file, err := OpenToRead(f.path)
	if err != nil {
		return p, fmt.Errorf("opening log: %w", err)
	}
	defer file.Close()
	if q.Back {
		err = v.back(file, q, &p)
	} else {
		err = v.forth(file, q, &p)
	}
	if err != nil {
		return p, err
	}
	t, err := openNotes(f.path)
	if err != nil {
		return p, fmt.Errorf("opening a log's times: %w", err)
	}
	defer t.close()
	t.stamp(p.Lines)
	return p, nil
}

func (v view) forth(file *os.File, q Query, p *Page) error {
	for b := (q.From - 1) / stride; b < len(v.blocks) && len(p.Lines) < q.Limit && p.Next <= v.lines; b++ {
		last := min((b+1)*stride, v.lines)
		if q.Least == None {
			last = min(last, q.From+q.Limit-1)
		}
		if v.blocks[b].has(q.Least, (b+1)*stride <= v.lines) {
			lines, err := v.read(file, b, max(q.From, b*stride+1), last)
			if err != nil {
				return err
			}
			for _, l := range lines {
				if l.Level.atLeast(q.Least) {
					p.Lines = append(p.Lines, l)
				}
				if p.Next = l.N + 1; len(p.Lines) == q.Limit {
					return nil
				}
			}
		}
		p.Next = max(p.Next, last+1)
	}
	return nil
}

func (v view) back(file *os.File, q Query, p *Page) error {
	before := min(q.From, v.lines+1)
	var parts [][]Line
	n := 0
	for b := (before - 2) / stride; b >= 0 && before > 1 && n < q.Limit; b-- {
		first := b*stride + 1
		if q.Least == None {
			first = max(first, before-q.Limit+n)
		}
		if v.blocks[b].has(q.Least, (b+1)*stride <= v.lines) {
			lines, err := v.read(file, b, first, before-1)
			if err != nil {
				return err
			}
			kept := lines[:0]
			for _, l := range lines {
				if l.Level.atLeast(q.Least) {
					kept = append(kept, l)
				}
			}
			if over := n + len(kept) - q.Limit; over > 0 {
				kept = kept[over:]
				first = kept[0].N
			}
			parts, n = append(parts, kept), n+len(kept)
		}
		before = first
	}
	for i := len(parts) - 1; i >= 0; i-- {
		p.Lines = append(p.Lines, parts[i]...)
	}
	p.Next = max(before, 1)
	return nil
}

// read returns lines of one block.
func (v view) read(file io.ReadSeeker, b, from, to int) ([]Line, error) {
	if _, err := file.Seek(v.blocks[b].offset, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading log: %w", err)
	}
	g := v.blocks[b].before
	r := bufio.NewReaderSize(file, 64<<10)
	out := make([]Line, 0, max(to-from+1, 0))
	for n := b*stride + 1; n <= to; n++ {
		text, err := readLine(r)
		if errors.Is(err, io.EOF) { // it was rotated meanwhile
			return out, nil
		}
		if err != nil {
			return out, fmt.Errorf("reading log: %w", err)
		}
		level := g.grade(text)
		if n >= from {
			out = append(out, Line{N: n, Text: string(bytes.ToValidUTF8(text, []byte("?"))), Level: level})
		}
	}
	return out, nil
}

// readLine reads to the next newline and keeps at most MaxLine bytes of it.
func readLine(r *bufio.Reader) ([]byte, error) {
	var kept []byte
	cut := 0
	for {
		part, err := r.ReadSlice('\n')
		if err == nil && kept == nil && len(part) <= MaxLine {
			return bytes.TrimRight(part, "\r\n"), nil
		}
		whole := domain.CutBytes(part, MaxLine-len(kept))
		if cut > 0 {
			whole = nil
		}
		cut += len(part) - len(whole)
		kept = append(kept, whole...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return nil, err
		}
		break
	}
	if cut > 1 { // one is the line's end
		return fmt.Appendf(kept, " … [%d more bytes]", cut-1), nil
	}
	return bytes.TrimRight(kept, "\r\n"), nil
}

// Seal ends the file's last line with a newline if it lacks one, so that output of a child that died in mid-line is a line too.
// Call it only when nobody writes to the file any more.
func (f *File) Seal() error {
	if st, err := os.Lstat(f.path); err == nil && !st.Mode().IsRegular() {
		return nil // nothing that a line could be lost of
	}
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sealing log: %w", err)
	}
	defer file.Close()
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil || end == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, end-1); err != nil {
		return fmt.Errorf("sealing log: %w", err)
	}
	if last[0] == '\n' {
		return nil
	}
	_, err = file.WriteString("\n")
	return err
}
