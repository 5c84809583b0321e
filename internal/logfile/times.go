package logfile

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"sort"

	"blossomtune/internal/openfile"
)

// Beside a log lies a file of notes, each 16 bytes, little endian: a line's number, and when it came in Unix milliseconds. The
// lines up to the next note came with it, within a tenth of a second. Lines that were there before have no time.
const noteSize = 16

func timesOf(path string) string { return path + ".times" }

// notes is an open file of notes.
type notes struct {
	file *os.File
	n    int
}

// openNotes opens the notes of a log; a log without notes is no error.
func openNotes(path string) (*notes, error) {
	f, err := openfile.Regular(timesOf(path))
	if errors.Is(err, fs.ErrNotExist) {
		return &notes{}, nil
	}
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &notes{file: f, n: int(st.Size() / noteSize)}, nil
}

func (t *notes) close() {
	if t.file != nil {
		t.file.Close()
	}
}

func (t *notes) at(i int) (line int, ms int64) {
	var b [noteSize]byte
	if _, err := t.file.ReadAt(b[:], int64(i)*noteSize); err != nil {
		return 0, 0
	}
	return int(binary.LittleEndian.Uint64(b[:8])), int64(binary.LittleEndian.Uint64(b[8:]))
}

// stamp gives lines, which are in order, their times.
func (t *notes) stamp(lines []Line) {
	if t.n == 0 || len(lines) == 0 {
		return
	}
	// The last note of a line wins: one whose lines a kill kept out of the log is followed by another for the same line.
	i := sort.Search(t.n, func(i int) bool { n, _ := t.at(i); return n > lines[0].N }) - 1
	var ms int64
	if i >= 0 {
		_, ms = t.at(i)
	}
	i++
	next, nextMS := 0, int64(0)
	if i < t.n {
		next, nextMS = t.at(i)
	}
	for k := range lines {
		for i < t.n && next <= lines[k].N {
			ms = nextMS
			if i++; i < t.n {
				next, nextMS = t.at(i)
			}
		}
		lines[k].At = ms
	}
}

// LineAt returns the number of the first line that came at or after a time (Unix milliseconds), within a tenth of a second;
// ok is false when none did, or when the log has no times.
func (f *File) LineAt(ms int64) (line int, ok bool, err error) {
	t, err := openNotes(f.path)
	if err != nil {
		return 0, false, err
	}
	defer t.close()
	i := sort.Search(t.n, func(i int) bool { _, at := t.at(i); return at >= ms })
	if i == t.n {
		return 0, false, nil
	}
	line, _ = t.at(i)
	return line, true, nil
}
