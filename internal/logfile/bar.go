package logfile

import (
	"bytes"
	"regexp"
	"time"
)

// A progress bar writes one line again and again, with a carriage return between its states, and ends it minutes later. Only its last
// state is kept when the line ends; until then the newest is shown as a line of its own now and then.
const (
	barFirst = 2 * time.Second
	barEvery = 5 * time.Second
	barLater = 30 * time.Second
	barOften = 60 // after so many lines of one bar, the next ones come each barLater
)

// bar is the line that carriage returns write again. The zero value is of a line without any.
type bar struct {
	state []byte // the newest that shows something, masked; nil: none
	fresh bool   // it is not in the log
	shown int    // how many are
	timer *time.Timer
}

// restart takes what came before a carriage return as the bar's newest state.
func (w *Writer) restart() {
	line := w.takeLine()
	if blank(line) {
		return
	}
	w.bar.state, w.bar.fresh = line, true
	if w.bar.timer == nil {
		w.bar.timer = time.AfterFunc(barFirst, w.showBar)
	}
}

// showBar writes the newest state as a line, while the bar goes on.
func (w *Writer) showBar() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bar.timer == nil || w.closed {
		return
	}
	if w.bar.fresh {
		w.put(append(bytes.Clone(w.bar.state), '\n'))
		w.flush()
		w.bar.fresh = false
		w.bar.shown++
	}
	next := barEvery
	if w.bar.shown >= barOften {
		next = barLater
	}
	w.bar.timer.Reset(next)
}

// endBar returns what is to be kept of a line that has ended: what came last, or the bar's newest state before it. It reports false
// where that is in the log already.
func (w *Writer) endBar(line []byte) ([]byte, bool) {
	b := w.bar
	if b.timer != nil {
		b.timer.Stop()
	}
	w.bar = bar{}
	if b.state == nil {
		return line, true
	}
	if !blank(line) {
		return line, b.fresh || !bytes.Equal(line, b.state)
	}
	return b.state, b.fresh
}

var control = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// blank reports whether a line shows nothing.
func blank(line []byte) bool {
	line = bytes.Trim(line, " \t\b\r")
	return len(line) == 0 || line[0] == 0x1b && len(bytes.Trim(control.ReplaceAll(line, nil), " \t\b\r")) == 0
}
