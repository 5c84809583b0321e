package logmask

import (
	"bytes"
	"io"
	"sync"
)

// NewWriter returns a writer that masks what loggers write: every Write is whole lines. It is safe for concurrent use.
func NewWriter(w io.Writer) io.Writer { return &writer{w: w} }

type writer struct {
	mu   sync.Mutex
	w    io.Writer
	mask Masker
	out  []byte
}

// Write writes the lines without their secrets.
func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = w.out[:0]
	for rest := p; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		w.out = w.mask.Line(w.out, line)
		if ended {
			w.out = append(w.out, '\n')
		}
		rest = after
	}
	if _, err := w.w.Write(w.out); err != nil {
		return 0, err
	}
	return len(p), nil
}
