package watch

import (
	"testing"
	"time"

	"blossomtune/internal/logfile"
)

// Lines that come one by one are told at once; a flood now and then, its newest lines alone, with its rate.
func TestNewsOfAFloodAreFewAndSaySo(t *testing.T) {
	var n news
	now, line := time.UnixMilli(1e12), 0
	come := func(count int) {
		var lines []logfile.Line
		for range count {
			line++
			lines = append(lines, logfile.Line{N: line})
		}
		n.add(lines)
	}
	for range 20 {
		come(3)
		if out, due := n.take(now); !due || out.Total != line || out.Rate != 0 || len(out.Lines) != 3 {
			t.Fatalf("three lines: %v, %d lines, rate %d", due, len(out.Lines), out.Rate)
		}
		now = now.Add(20 * time.Millisecond)
	}
	told, last := 0, 0
	for range 200 { // four seconds with 50,000 lines a second
		come(1000)
		if out, due := n.take(now); due {
			told++
			last = out.Total
			if len(out.Lines) != newsLines || out.Lines[newsLines-1].N != line || out.Total != line || told > 1 && (out.Rate < 40_000 || out.Rate > 60_000) {
				t.Fatalf("news %d: %d lines to %d of %d, rate %d", told, len(out.Lines), out.Total, line, out.Rate)
			}
		}
		now = now.Add(20 * time.Millisecond)
	}
	if told < 12 || told > 17 {
		t.Errorf("four seconds of a flood made %d news", told)
	}
	now = now.Add(time.Second)
	if out, due := n.take(now); last != line && (!due || out.Total != line) {
		t.Errorf("the flood's end is not told: %v %d of %d", due, out.Total, line)
	}
	if _, due := n.take(now); due {
		t.Error("nothing new is told")
	}
}
