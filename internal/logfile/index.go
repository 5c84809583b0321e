package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

// stride is how many lines a block has.
const stride = 1000

// block is what the index keeps of stride lines.
type block struct {
	offset int64  // of its first line
	before grader // as it was at its begin
	levels uint8  // which levels its lines have, one bit each; only of a whole block
}

// has reports whether a block may have lines that are at least so grave. One that still grows may have any.
func (b block) has(least Level, whole bool) bool {
	if least == None || !whole {
		return true
	}
	for l := None; l <= Critical; l++ {
		if b.levels&(1<<l) != 0 && l.atLeast(least) {
			return true
		}
	}
	return false
}

// Round is where a log tells that a round begins.
type Round struct {
	Round int `json:"round"`
	Line  int `json:"line"`
}

// maxRounds bounds how many rounds are kept; an app may print as many as it likes.
const maxRounds = 10_000

// index is made while a log is read, once, a part at a time.
type index struct {
	blocks   []block
	lines    int
	offset   int64 // after the last complete line
	grader   grader
	levels   uint8 // of the block that grows
	rounds   []Round
	firstBad int // the first line that is an error; 0: none
}

func newIndex() index { return index{blocks: []block{{}}} }

// headLen is how much of a line is looked at for its level.
const headLen = 512

// read indexes a log from where it stopped to its end. buf is longer than headLen; a longer line is read in parts.
func (x *index) read(file io.ReadSeeker, buf []byte) error {
	if _, err := file.Seek(x.offset, io.SeekStart); err != nil {
		return fmt.Errorf("reading log: %w", err)
	}
	kept := 0     // bytes of the line that has begun
	long := false // its end is not in buf, but its begin is
	at := x.offset
	for {
		n, err := file.Read(buf[kept:])
		at += int64(n)
		text := buf[:kept+n]
		for {
			i := bytes.IndexByte(text, '\n')
			if i < 0 {
				break
			}
			x.line(text[:min(i, headLen)], at-int64(len(text)-i-1))
			text, long = text[i+1:], false
		}
		switch {
		case long || len(text) == len(buf): // too long for its end to matter
			kept, long = min(headLen, len(text)), true
		default:
			kept = copy(buf, text)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading log: %w", err)
		}
	}
}

var roundMark = regexp.MustCompile(`(?i)\[round (\d{1,9})(?:/\d{1,9})?\]|\bround[ :#]{0,3}(\d{1,9}) ?(?:/|of) ?\d{1,9}\b`)

// line takes one complete line, of which it needs only the begin, and the offset of the next.
func (x *index) line(head []byte, next int64) {
	x.lines++
	x.offset = next
	level := x.grader.grade(head)
	x.levels |= 1 << level
	if level >= Error && x.firstBad == 0 {
		x.firstBad = x.lines
	}
	if len(x.rounds) < maxRounds && (bytes.Contains(head, []byte("OUND ")) || bytes.Contains(head, []byte("ound"))) {
		if m := roundMark.FindSubmatch(head); m != nil {
			n, _ := strconv.Atoi(string(m[1]) + string(m[2])) // the pattern gives one of them, of at most nine digits
			if at := len(x.rounds); at == 0 || x.rounds[at-1].Round != n {
				x.rounds = append(x.rounds, Round{Round: n, Line: x.lines})
			}
		}
	}
	if x.lines%stride == 0 {
		x.blocks[len(x.blocks)-1].levels = x.levels
		x.blocks = append(x.blocks, block{offset: next, before: x.grader})
		x.levels = 0
	}
}

// Marks are the places of a log to jump to.
type Marks struct {
	Rounds   []Round `json:"rounds"`
	FirstBad int     `json:"first_error" doc:"The first line that is an error; 0: none"`
	Total    int     `json:"total"`
}

// Marks returns the places to jump to: the rounds, and the first error.
func (f *File) Marks() (Marks, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.catchUp()
	return Marks{Rounds: append([]Round{}, f.ix.rounds...), FirstBad: f.ix.firstBad, Total: f.ix.lines}, err
}
