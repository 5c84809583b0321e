package logfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestLinesAreNumberedAcrossMarks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	f := New(path)
	if n, err := f.Total(); n != 0 || err != nil {
		t.Fatalf("missing file: %d, %v", n, err)
	}
	var b strings.Builder
	for i := 1; i <= 2*stride+7; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	write(t, path, b.String()+"half")
	for _, from := range []int{1, 999, 1000, 1001, 2001, 2*stride + 7} {
		lines, total, err := f.Lines(from, 3)
		if err != nil || total != 2*stride+7 {
			t.Fatalf("from %d: total %d, %v", from, total, err)
		}
		for i, l := range lines {
			if want := fmt.Sprintf("line %d", from+i); l.N != from+i || l.Text != want {
				t.Errorf("from %d: got %d %q, want %q", from, l.N, l.Text, want)
			}
		}
	}
	if lines, _, _ := f.Lines(2*stride+8, 10); len(lines) != 0 {
		t.Errorf("a half line was given out: %v", lines)
	}
	write(t, path, " is whole\n")
	lines, _, _ := f.Tail(1)
	if len(lines) != 1 || lines[0].Text != "half is whole" {
		t.Errorf("tail: %v", lines)
	}
}

func TestLongLineIsCutAndSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	write(t, path, strings.Repeat("a", 3*MaxLine)+"\nnext\n")
	lines, _, err := New(path).Lines(1, 10)
	if err != nil || len(lines) != 2 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	if !strings.HasSuffix(lines[0].Text, fmt.Sprintf("[%d more bytes]", 2*MaxLine)) || lines[1].Text != "next" {
		t.Errorf("got …%q then %q", lines[0].Text[MaxLine:], lines[1].Text)
	}
}

func TestSealEndsAHalfLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	f := New(path)
	if err := f.Seal(); err != nil {
		t.Fatalf("missing file: %v", err)
	}
	write(t, path, "one\ntwo")
	for range 2 {
		if err := f.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := f.Total(); n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
}
