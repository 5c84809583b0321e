package demo

import (
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"
)

// screen writes the demo's story: one line per step with its seconds, one bar per round. On a terminal the running step's
// line is redrawn; elsewhere every line is written once.
type screen struct {
	out      io.Writer
	terminal bool

	mu   sync.Mutex
	step string
	from time.Time
	now  func() time.Time
}

const (
	bold  = "\x1b[1m"
	faint = "\x1b[2m"
	brand = "\x1b[38;5;162m"
	green = "\x1b[32m"
	red   = "\x1b[31m"
	reset = "\x1b[0m"
)

func (s *screen) paint(style, text string) string {
	if !s.terminal {
		return text
	}
	return style + text + reset
}

// begin starts a step; the previous one must have ended.
func (s *screen) begin(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step, s.from = fmt.Sprintf(format, args...), s.now()
	if s.terminal {
		fmt.Fprintf(s.out, "  %s %s", s.paint(faint, "…"), s.step)
	}
}

// note shows what a running step does; only a terminal shows it.
func (s *screen) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal && s.step != "" {
		if r := []rune(text); len(r) > 60 {
			text = string(r[:59]) + "…"
		}
		fmt.Fprintf(s.out, "\r\x1b[K  %s %s %s", s.paint(faint, "…"), s.step, s.paint(faint, text))
	}
}

// done ends the step.
func (s *screen) done(format string, args ...any) {
	s.finish(green, "✓", fmt.Sprintf(format, args...))
}

// failed ends the step that did not succeed, if one runs.
func (s *screen) failed() {
	if s.step != "" {
		s.finish(red, "✗", "")
	}
}

func (s *screen) finish(style, mark, result string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.step
	if result != "" {
		text += ": " + result
	}
	line := fmt.Sprintf("  %s %-78s %6.1f s", s.paint(style, mark), text, s.now().Sub(s.from).Seconds())
	if s.terminal {
		line = "\r\x1b[K" + line
	}
	fmt.Fprintln(s.out, line)
	s.step = ""
}

// line writes a line of its own, between or within steps.
func (s *screen) line(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal && s.step != "" {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
	fmt.Fprintf(s.out, format+"\n", args...)
	if s.terminal && s.step != "" {
		fmt.Fprintf(s.out, "  %s %s", s.paint(faint, "…"), s.step)
	}
}

const barWidth = 30

// round writes one round's bar: its length is the accuracy.
func (s *screen) round(round, rounds int, accuracy, loss float64) {
	s.line("      round %d/%d  %s  accuracy %.4f  loss %.4f", round, rounds, s.paint(brand, bar(accuracy)), accuracy, loss)
}

func bar(share float64) string {
	if math.IsNaN(share) {
		share = 0
	}
	n := int(math.Round(min(max(share, 0), 1) * barWidth))
	return strings.Repeat("█", n) + strings.Repeat("░", barWidth-n)
}
