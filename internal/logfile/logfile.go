// Package logfile reads the log files that children write: by line number, without holding them in memory.
// The file is the truth; a reader may come and go at any time and finds every line exactly once.
package logfile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// MaxLine is the longest line given out, in bytes; what is longer is cut, and the cut is said in the line.
const MaxLine = 16 << 10

// stride is how many lines lie between two remembered offsets.
const stride = 1000

// Line is one line of a log file.
type Line struct {
	N    int    `json:"n"` // from 1
	Text string `json:"text"`
}

// File reads one log file. It is safe for use by several goroutines. The file need not exist yet.
type File struct {
	path string

	mu     sync.Mutex
	marks  []int64 // marks[i] is the offset of line i*stride+1
	lines  int     // complete lines seen
	offset int64   // of the first byte after them
}

// New returns a reader of the file at path, which may appear later.
func New(path string) *File { return &File{path: path, marks: []int64{0}} }

// Path returns the file's path.
func (f *File) Path() string { return f.path }

// Total counts the file's complete lines, reading only what was added since the last call.
func (f *File) Total() (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.total()
}

func (f *File) total() (int, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("opening log: %w", err)
	}
	defer file.Close()
	if _, err := file.Seek(f.offset, io.SeekStart); err != nil {
		return 0, fmt.Errorf("reading log: %w", err)
	}
	buf := make([]byte, 256<<10)
	at := f.offset
	for {
		n, err := file.Read(buf)
		f.count(buf[:n], at)
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return f.lines, nil
		}
		if err != nil {
			return f.lines, fmt.Errorf("reading log: %w", err)
		}
	}
}

func (f *File) count(chunk []byte, at int64) {
	for i := 0; ; {
		j := bytes.IndexByte(chunk[i:], '\n')
		if j < 0 {
			return
		}
		i += j + 1
		f.lines++
		f.offset = at + int64(i)
		if f.lines%stride == 0 {
			f.marks = append(f.marks, f.offset)
		}
	}
}

// Lines returns up to limit complete lines from line number from (1 is the first), and how many complete lines the file has.
func (f *File) Lines(from, limit int) ([]Line, int, error) {
	f.mu.Lock()
	total, err := f.total()
	from = max(from, 1)
	if err != nil || from > total || limit < 1 {
		f.mu.Unlock()
		return nil, total, err
	}
	mark := (from - 1) / stride
	offset := f.marks[mark]
	f.mu.Unlock()

	file, err := os.Open(f.path)
	if err != nil {
		return nil, total, fmt.Errorf("opening log: %w", err)
	}
	defer file.Close()
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return nil, total, fmt.Errorf("reading log: %w", err)
	}
	lines, err := read(bufio.NewReaderSize(file, 64<<10), mark*stride+1, from, min(total, from+limit-1))
	return lines, total, err
}

func read(r *bufio.Reader, n, from, to int) ([]Line, error) {
	out := make([]Line, 0, to-from+1)
	for ; n <= to; n++ {
		text, err := readLine(r)
		if err != nil {
			return out, fmt.Errorf("reading log: %w", err)
		}
		if n >= from {
			out = append(out, Line{N: n, Text: text})
		}
	}
	return out, nil
}

// readLine reads to the next newline and keeps at most MaxLine bytes of it.
func readLine(r *bufio.Reader) (string, error) {
	var kept []byte
	cut := 0
	for {
		part, err := r.ReadSlice('\n')
		if room := MaxLine - len(kept); len(part) > room {
			cut += len(part) - room
			part = part[:room]
		}
		kept = append(kept, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return "", err
		}
		break
	}
	if cut > 0 {
		return string(bytes.ToValidUTF8(kept, []byte("?"))) + fmt.Sprintf(" … [%d more bytes]", cut-1), nil
	}
	kept = bytes.TrimRight(kept, "\r\n")
	return string(bytes.ToValidUTF8(kept, []byte("?"))), nil
}

// Tail returns the last complete lines, at most limit, and the total.
func (f *File) Tail(limit int) ([]Line, int, error) {
	total, err := f.Total()
	if err != nil {
		return nil, total, err
	}
	return f.Lines(total-limit+1, limit)
}

// Seal ends the file's last line with a newline if it lacks one, so that output of a child that died in mid-line is a line too.
// Call it only when nobody writes to the file any more.
func (f *File) Seal() error {
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

// poll is how often Follow looks for new lines: well below what a person sees as a delay, and one stat call.
const poll = 50 * time.Millisecond

// Follow calls each with batches of complete lines from line number from on, as they are written, until ctx ends or each returns an error.
func (f *File) Follow(ctx context.Context, from int, each func([]Line) error) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	next := max(from, 1)
	for {
		lines, _, err := f.Lines(next, 2000)
		if err != nil {
			return err
		}
		if len(lines) > 0 {
			if err := each(lines); err != nil {
				return err
			}
			next += len(lines)
			if ctx.Err() == nil && len(lines) == 2000 {
				continue
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
