package logfile

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// FuzzIndex indexes any log, at once and in two parts, and compares what is read by its index with the log itself.
func FuzzIndex(f *testing.F) {
	const trace = "INFO :      [ROUND 1/3]\nTraceback (most recent call last):\n  File \"x\"\n\r\nValueError: x\r\n"
	for _, text := range []string{"", "\n", trace, "x" + strings.Repeat("ü", headLen) + "\nERROR: y\n", "\x1b[31mERROR\x1b[0m: z\n\x1b", "ERROR : " + strings.Repeat("\x1b[1m", 200) + "\n", strings.Repeat(" ", headLen) + "Traceback (most recent call last):\nx\n"} {
		f.Add([]byte(text), uint16(20), false)
		f.Add([]byte(text), uint16(stride+10), true)
	}
	f.Add([]byte(strings.Repeat("x", MaxLine)+"\n"), uint16(9), false)
	many := bytes.Repeat([]byte{'\n'}, stride-1) // brings what follows to the end of a block
	f.Fuzz(func(t *testing.T, text []byte, cut uint16, later bool) {
		if len(text) > 4*MaxLine {
			return
		}
		if later {
			text = append(many[:len(many):len(many)], text...)
		}
		whole, parts := newIndex(), newIndex()
		indexed(t, &whole, text)
		indexed(t, &parts, text[:min(int(cut), len(text))])
		indexed(t, &parts, text)
		if !reflect.DeepEqual(whole, parts) {
			t.Errorf("at once %+v, in parts %+v", whole, parts)
		}
		checkIndex(t, &whole, text)
	})
}

func indexed(t *testing.T, x *index, text []byte) {
	t.Helper()
	if err := x.read(bytes.NewReader(text), make([]byte, 2*headLen)); err != nil {
		t.Fatal(err)
	}
}

// checkIndex reads every block of a log by its index.
func checkIndex(t *testing.T, x *index, text []byte) {
	t.Helper()
	want := strings.Split(string(text), "\n")
	want = want[:len(want)-1] // the last one has no end yet
	if x.lines != len(want) || len(x.blocks) != len(want)/stride+1 {
		t.Fatalf("%d lines in %d blocks, the log has %d lines", x.lines, len(x.blocks), len(want))
	}
	v, firstBad := view{lines: x.lines, blocks: x.blocks}, 0
	for b, block := range x.blocks {
		last := min((b+1)*stride, x.lines)
		got, err := v.read(bytes.NewReader(text), b, b*stride+1, last)
		if err != nil || len(got) != last-b*stride {
			t.Fatalf("%d lines of block %d, %v", len(got), b, err)
		}
		for i, l := range got {
			if l.N != b*stride+i+1 || l.Text != shown(want[l.N-1]) {
				t.Fatalf("line %d reads %q, is %q", l.N, l.Text, want[l.N-1])
			}
			if l.Level >= Error && firstBad == 0 {
				firstBad = l.N
			}
			if !block.has(l.Level, last == (b+1)*stride) {
				t.Fatalf("line %d is of level %s, which its block does not have", l.N, l.Level)
			}
		}
	}
	if x.firstBad != firstBad {
		t.Errorf("the first error is line %d, by the index line %d", firstBad, x.firstBad)
	}
	for _, r := range x.rounds {
		if line := want[r.Line-1]; !strings.Contains(line[:min(len(line), headLen)], "[ROUND ") {
			t.Errorf("line %d is not round %d", r.Line, r.Round)
		}
	}
}

// shown is how a line is given out.
func shown(line string) string {
	if over := len(line) - MaxLine; over > 0 {
		return strings.ToValidUTF8(line[:MaxLine], "?") + fmt.Sprintf(" … [%d more bytes]", over)
	}
	return strings.ToValidUTF8(strings.TrimRight(line, "\r"), "?")
}
