package logfile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

// million writes a log as Flower makes it, of n lines, and returns its path. Each thousandth line warns, the 777,777th is an error
// with a traceback, and "needle" stands in seven lines.
func million(t testing.TB, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "big.log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	for i := 1; i <= n; i++ {
		switch {
		case i == 777_777:
			fmt.Fprintln(w, "Traceback (most recent call last):")
		case i == 777_778:
			fmt.Fprintln(w, `  File "server_app.py", line 41, in main`)
		case i == 777_779:
			fmt.Fprintln(w, "KeyError: 'lr'")
		case i%(n/7) == 5:
			fmt.Fprintf(w, "\x1b[92mINFO \x1b[0m:      a Needle in line %d\n", i)
		case i%(n/10) == 9:
			fmt.Fprintf(w, "\x1b[92mINFO \x1b[0m:      [ROUND %d/10]\n", i/(n/10)+1)
		case i%1000 == 500:
			fmt.Fprintf(w, "\x1b[93mWARNING \x1b[0m:   batch %d is slow\n", i)
		default:
			fmt.Fprintf(w, "step %07d loss 0.4711 accuracy 0.8712 partition 3 of 10, epoch 2, batch 12 of 40, 0.25 s\n", i)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return path
}

func search(t testing.TB, f *File, s Search) Found {
	t.Helper()
	var all Found
	err := f.Search(t.Context(), s, func(found Found) error {
		found.Numbers, found.Hits = append(all.Numbers, found.Numbers...), append(all.Hits, found.Hits...)
		all = found
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !all.Done {
		t.Fatal("the search does not end with Done")
	}
	return all
}

func TestSearchFindsInTheWholeLog(t *testing.T) {
	const n = 20_000
	f := New(million(t, n))
	found := search(t, f, Search{Text: "INFO :      a needle"}) // over a change of colour, whatever the case
	if found.Count != 7 || found.Lines != n || found.Cut {
		t.Fatalf("%d hits in %d lines", found.Count, found.Lines)
	}
	for i, line := range found.Numbers {
		if line%(n/7) != 5 || found.Hits[i].N != line {
			t.Errorf("hit %d is line %d, told with the lines of %d", i, line, found.Hits[i].N)
		}
		around := found.Hits[i].Lines
		first, last := max(1, line-Around), min(n, line+Around)
		if len(around) != last-first+1 || around[0].N != first || around[len(around)-1].N != last {
			t.Errorf("around line %d there are lines %d to %d", line, around[0].N, around[len(around)-1].N)
		}
	}
	if found := search(t, f, Search{Text: `needle in line \d5\b`, Pattern: true}); found.Count != 0 {
		t.Errorf("the pattern is in %v", found.Numbers)
	}
	if found := search(t, f, Search{Text: `NEEDLE in line \d+2$`, Pattern: true}); found.Count == 0 {
		t.Error("the pattern is not found")
	}
	if found := search(t, f, Search{Text: "batch", Least: Warning}); found.Count != n/1000 {
		t.Errorf("%d warnings with batch, want %d", found.Count, n/1000)
	}
	if found := search(t, f, Search{Text: "step"}); found.Count < n-100 || len(found.Numbers) != MaxNumbers || len(found.Hits) != MaxShown {
		t.Errorf("of %d hits %d are told, %d with their lines", found.Count, len(found.Numbers), len(found.Hits))
	}
	for _, bad := range []Search{{}, {Text: "(", Pattern: true}, {Text: strings.Repeat("x", 301)}} {
		if err := f.Search(t.Context(), bad, nil); domain.CodeOf(err) != domain.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestSearchEndsWithItsTime(t *testing.T) {
	f := New(million(t, 20_000))
	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	var last Found
	if err := f.Search(ctx, Search{Text: "x"}, func(found Found) error { last = found; return nil }); err != nil || !last.Done || !last.Cut {
		t.Errorf("%+v, %v", last, err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := f.Search(gone, Search{Text: "x"}, func(Found) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a viewer that went away: %v", err)
	}
}

func TestPagesOfALevel(t *testing.T) {
	const n = 20_000
	f := New(million(t, n))
	var forth, back []int
	for next := 1; next <= n; {
		p, err := f.Page(Query{From: next, Limit: 7, Least: Warning})
		if err != nil || p.Next <= next {
			t.Fatalf("at %d: next %d, %v", next, p.Next, err)
		}
		for _, l := range p.Lines {
			forth = append(forth, l.N)
		}
		next = p.Next
	}
	for before := n + 1; before > 1; {
		p, err := f.Page(Query{From: before, Back: true, Limit: 7, Least: Warning})
		if err != nil || p.Next >= before {
			t.Fatalf("before %d: next %d, %v", before, p.Next, err)
		}
		var part []int
		for _, l := range p.Lines {
			part = append(part, l.N)
		}
		back, before = append(part, back...), p.Next
	}
	if len(forth) != n/1000 || fmt.Sprint(forth) != fmt.Sprint(back) || forth[0] != 500 {
		t.Errorf("forth %v\nback %v", forth, back)
	}
}

func TestLevelsOfLines(t *testing.T) {
	for _, c := range []struct {
		lines string
		want  []Level
	}{
		{"\x1b[92mINFO \x1b[0m:      [ROUND 1/3]\n\x1b[93mWARNING \x1b[0m:   slow\n\x1b[91mERROR \x1b[0m:     bad\nprinted", []Level{Info, Warning, Error, None}},
		{"ERROR:root:bad\nTraceback (most recent call last):\n  File \"x\", line 1\n    y\nKeyError: 'lr'\nprinted", []Level{Error, Error, Error, Error, Error, None}},
		{"2026-11-24 10:00:00,123 - name - WARNING - slow\n[2026-11-24 10:00:00] [DEBUG] x\ntime=2026-11-24T10:00:00Z level=ERROR msg=x\n[INFO] y\nINFO:     127.0.0.1 - \"GET / HTTP/1.1\" 200", []Level{Warning, Debug, Error, Info, Info}},
		{"WARNING :   one\n            two", []Level{Warning, Warning}},
		{"INFORMATION: x\nERRORS were few\nan ERROR in words\n", []Level{None, None, None}},
	} {
		path := filepath.Join(t.TempDir(), "x.log")
		write(t, path, strings.TrimSuffix(c.lines, "\n")+"\n")
		lines, _, err := New(path).Lines(1, 10)
		if err != nil || len(lines) != len(c.want) {
			t.Fatal(lines, err)
		}
		for i, l := range lines {
			if l.Level != c.want[i] {
				t.Errorf("%q is %q, want %q", l.Text, l.Level, c.want[i])
			}
		}
	}
}

func TestMarks(t *testing.T) {
	const n = 20_000
	f := New(million(t, n))
	m, err := f.Marks()
	if err != nil || len(m.Rounds) != 10 || m.Rounds[2] != (Round{3, 2*n/10 + 9}) || m.Total != n || m.FirstBad != 0 {
		t.Errorf("%+v, %v", m, err)
	}
	write(t, f.Path(), "ERROR :     bad\n")
	if m, err := f.Marks(); err != nil || m.FirstBad != n+1 {
		t.Errorf("the first error is in line %d, %v", m.FirstBad, err)
	}
}

// BenchmarkMillionLines tells how long a log of a million lines (95 MB) takes: to be opened the first time, to give a page at its
// end, in its middle and of its errors, and to be searched.
func BenchmarkMillionLines(b *testing.B) {
	path := million(b, 1_000_000)
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if n, err := New(path).Total(); n != 1_000_000 || err != nil {
				b.Fatal(n, err)
			}
		}
	})
	f := New(path)
	for name, q := range map[string]Query{"page at the end": {From: 1_000_001, Back: true, Limit: 1000}, "page in the middle": {From: 500_000, Limit: 1000}, "page of errors": {From: 1, Limit: 1000, Least: Error}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if p, err := f.Page(q); len(p.Lines) == 0 || err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for name, s := range map[string]Search{"search a rare word": {Text: "needle"}, "search a word of every line": {Text: "partition 3"}, "search what is nowhere": {Text: "surely nowhere"}, "search a pattern": {Text: `needle in line \d+`, Pattern: true}, "search in errors": {Text: "keyerror", Least: Error}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				search(b, f, s)
			}
		})
	}
}

// Apps with a loop of their own say in their own words that a round begins; each round has one mark.
func TestRoundsOfAppsAreMarked(t *testing.T) {
	f := New(filepath.Join(t.TempDir(), "log"))
	write(t, f.Path(), "[ROUND 1/3]\nINFO :      Starting round 2/3\nround 2/3: found 5 of 6\nRound 3 of 3\nbackground 4/5\nround 5\n")
	m, err := f.Marks()
	if want := []Round{{1, 1}, {2, 2}, {3, 4}}; err != nil || !slices.Equal(m.Rounds, want) {
		t.Errorf("%+v, %v, want %v", m.Rounds, err, want)
	}
}
