package logfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/logmask"
)

// Keep bounds what a [Writer] keeps.
type Keep struct {
	Max int64 // bytes of a file; 0: no bound
	Old int   // when Max is reached the file becomes FILE.1, older ones move up to FILE.<Old>. 0: see [Writer]
}

// Writer keeps a stream of output in a log file, line by line: secrets are masked and long lines cut before anything is stored,
// and it notes when lines came. What was written up to a line's end is in the file when Write returns; of a line that carriage
// returns write again, the newest state follows within seconds. It is safe for concurrent use; nothing else may write to the file.
//
// A file with a bound and no old ones keeps its head and its end: from 80 % of the bound on only lines of a logger are kept,
// from 90 % on none, and the last ones follow when the Writer is closed. The log says so where it happens.
type Writer struct {
	path  string
	keep  Keep
	clock func() time.Time

	mu      sync.Mutex
	closed  bool
	mask    logmask.Masker
	file    *os.File
	times   *os.File
	size    int64
	lines   int       // in the file
	stamped time.Time // of the last note in times

	part []byte // of the line that has not ended
	cr   bool   // a carriage return came last
	bar  bar
	head []byte // the kept part of a line that is too long; nil: it is not
	over int    // bytes of it that are not kept
	seam []byte // its last bytes, where the next part may go on with a key's beginning

	out    []byte // whole lines to be written
	outs   int    // how many
	lost   int    // lines that could not be written
	beyond bool   // 80 % of the bound is reached
	rest   ring
}

// seamLen is more than a key's first line has.
const seamLen = 80

// lookPast is how much more than MaxLine of a long line is looked at for secrets that begin in the kept part.
const lookPast = 1 << 10

// Open returns a writer that appends to the file at path.
func Open(path string, k Keep, clock func() time.Time) (*Writer, error) {
	w := &Writer{path: path, keep: k, clock: clock, rest: ring{most: min(k.Max/10, 1<<20)}}
	return w, w.open()
}

func (w *Writer) open() error {
	f := New(w.path)
	if err := f.Seal(); err != nil {
		return err
	}
	var err error
	if w.lines, err = f.Total(); err != nil {
		return err
	}
	if w.file, err = os.OpenFile(w.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return fmt.Errorf("opening log: %w", err)
	}
	if w.times, err = os.OpenFile(timesOf(w.path), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return errors.Join(fmt.Errorf("opening a log's times: %w", err), w.file.Close())
	}
	st, err := w.file.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("opening log: %w", err), w.file.Close(), w.times.Close())
	}
	w.size, w.stamped, w.beyond = st.Size(), time.Time{}, false
	return nil
}

// Write takes more of the stream. It never fails: who writes to a full disk is told in the log when there is room again.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for rest := p; len(rest) > 0; {
		if w.cr && rest[0] != '\n' && rest[0] != '\r' {
			w.restart()
		}
		i := bytes.IndexAny(rest, "\r\n")
		w.cr = i >= 0 && rest[i] == '\r'
		if i < 0 {
			w.more(rest)
			break
		}
		w.more(rest[:i])
		if !w.cr {
			w.endLine()
		}
		rest = rest[i+1:]
	}
	w.flush()
	return len(p), nil
}

// more takes a part of the current line.
func (w *Writer) more(p []byte) {
	if w.head == nil {
		room := MaxLine + lookPast - len(w.part)
		if len(p) <= room {
			w.part = append(w.part, p...)
			return
		}
		w.part, p = append(w.part, p[:room]...), p[room:]
		w.head = w.mask.Line([]byte{}, w.part)
		w.head = domain.CutBytes(w.head, MaxLine-64) // with the words at its end it is no longer than MaxLine
		w.over = len(w.part) - len(w.head)
		w.seam = append(w.seam[:0], w.part[len(w.part)-seamLen:]...)
	}
	w.over += len(p)
	w.mask.Skipped(append(w.seam, p...))
	w.seam = append(w.seam, p[max(0, len(p)-seamLen):]...)
	w.seam = append(w.seam[:0], w.seam[max(0, len(w.seam)-seamLen):]...)
}

func (w *Writer) endLine() {
	if line, keep := w.endBar(w.takeLine()); keep {
		w.put(append(line, '\n'))
	}
}

// takeLine returns what is kept of the current line, masked, and begins the next one.
func (w *Writer) takeLine() []byte {
	line := w.head
	switch {
	case w.head != nil:
		line = fmt.Appendf(line, " … [%d more bytes]", w.over)
	case len(w.part) > MaxLine:
		line = domain.CutBytes(w.mask.Line(nil, w.part), MaxLine-64)
		line = fmt.Appendf(line, " … [%d more bytes]", len(w.part)-len(line))
	default:
		line = w.mask.Line(nil, w.part)
	}
	w.part, w.head = w.part[:0], nil
	return line
}

// put adds a line to what is to be written, if it is to be kept.
func (w *Writer) put(line []byte) {
	size := w.size + int64(len(w.out)+len(line))
	switch {
	case w.keep.Max == 0 || size <= w.keep.Max*8/10 || w.keep.Old > 0 && size <= w.keep.Max:
	case w.keep.Old > 0:
		w.flush()
		w.rotate()
	default:
		if !w.beyond {
			w.beyond = true
			w.add(fmt.Appendf(nil, "[This log has reached its bound of %s: from here on only a logger's lines are kept while there is room, and "+
				"the last lines, which follow at the end.]\n", inWords(w.keep.Max)))
		}
		if _, leveled := levelOf(line); !leveled || size > w.keep.Max*9/10 {
			w.rest.add(line)
			return
		}
	}
	w.add(line)
}

func (w *Writer) add(line []byte) {
	w.out = append(w.out, line...)
	w.outs++
}

// flush writes the whole lines that wait. The note of their time goes first: a reader that sees a line finds its time.
func (w *Writer) flush() {
	if w.outs == 0 {
		return
	}
	if w.lost > 0 {
		text := fmt.Sprintf("[%d lines could not be stored]\n", w.lost)
		if _, err := w.file.WriteString(text); err == nil {
			w.size, w.lines, w.lost = w.size+int64(len(text)), w.lines+1, 0
		}
	}
	w.stamp()
	if _, err := w.file.Write(w.out); err != nil {
		w.lost += w.outs
		_ = w.file.Truncate(w.size) // a line is there whole or not at all
	} else {
		w.size, w.lines = w.size+int64(len(w.out)), w.lines+w.outs
	}
	w.out, w.outs = w.out[:0], 0
}

// stampEvery is the least time between two notes: a line's time is exact to this.
const stampEvery = 100 * time.Millisecond

func (w *Writer) stamp() {
	now := w.clock()
	if now.Sub(w.stamped) < stampEvery && !now.Before(w.stamped) {
		return
	}
	var note [noteSize]byte
	binary.LittleEndian.PutUint64(note[:8], uint64(w.lines+1))
	binary.LittleEndian.PutUint64(note[8:], uint64(now.UnixMilli()))
	if _, err := w.times.Write(note[:]); err == nil {
		w.stamped = now
	}
}

// rotate begins a new file. When that fails the old one goes on.
func (w *Writer) rotate() {
	for i := w.keep.Old - 1; i >= 0; i-- {
		for _, name := range []func(string) string{func(p string) string { return p }, timesOf} {
			if err := os.Rename(name(Older(w.path, i)), name(Older(w.path, i+1))); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return
			}
		}
	}
	file, times := w.file, w.times
	if w.open() != nil {
		w.file, w.times = file, times
		return
	}
	_, _ = file.Close(), times.Close()
}

// Close ends the last line and says what was left out.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.part) > 0 || w.head != nil || w.bar.state != nil {
		w.endLine()
	}
	w.closed = true
	if w.rest.lines > 0 {
		if left := w.rest.lines - len(w.rest.kept); left > 0 {
			w.add(fmt.Appendf(nil, "[%d lines are left out here. The last %d follow.]\n", left, len(w.rest.kept)))
		}
		for _, l := range w.rest.kept {
			w.add(l)
		}
		w.rest = ring{most: w.rest.most}
	}
	w.flush()
	return errors.Join(w.file.Close(), w.times.Close())
}

// ring keeps the last lines within a number of bytes.
type ring struct {
	most  int64
	size  int64
	lines int
	kept  [][]byte
}

func (r *ring) add(line []byte) {
	r.lines++
	r.size += int64(len(line))
	r.kept = append(r.kept, bytes.Clone(line))
	n := 0
	for r.size > r.most && n < len(r.kept) {
		r.size -= int64(len(r.kept[n]))
		n++
	}
	r.kept = r.kept[n:]
}

// Older returns the name of the nth older file of a log; 0 is the log itself.
func Older(path string, n int) string {
	if n == 0 {
		return path
	}
	return fmt.Sprintf("%s.%d", path, n)
}

func inWords(bytes int64) string {
	if bytes >= 1e6 {
		return fmt.Sprintf("%d MB", bytes/1e6)
	}
	return fmt.Sprintf("%d bytes", bytes)
}

var _ io.WriteCloser = (*Writer)(nil)
