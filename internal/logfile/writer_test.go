package logfile

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// clock is a time that a test moves.
type clock struct{ now time.Time }

func (c *clock) time() time.Time { return c.now }

func newWriter(t testing.TB, k Keep) (*Writer, *File, *clock) {
	t.Helper()
	c := &clock{time.UnixMilli(1_000_000)}
	path := filepath.Join(t.TempDir(), "x.log")
	w, err := Open(path, k, c.time)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w, New(path), c
}

func texts(t *testing.T, f *File) []string {
	t.Helper()
	total, err := f.Total()
	if err != nil {
		t.Fatal(err)
	}
	lines, _, err := f.Lines(1, total)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.Text
	}
	return out
}

const secret = "hf_abcdefghijklmnopqrstuvwxyz012345"

// However a stream is cut into writes, the file holds the same lines, and no secret.
func TestWritesMayBeCutAnywhere(t *testing.T) {
	text := "one\n" + secret + "\nkey " + secret + " end\n\nlong " + strings.Repeat("x", 3*MaxLine) + secret + "\n" + strings.Repeat("y", MaxLine-10) + secret + "\nlast, without an end " + secret
	random := rand.New(rand.NewPCG(1, 2))
	var want string
	for try := range 200 {
		w, f, _ := newWriter(t, Keep{})
		for rest := text; rest != ""; {
			n := 1 + random.IntN(len(rest))
			if try%2 == 0 {
				n = min(n, 1+random.IntN(40))
			}
			if try == 0 {
				n = len(rest)
			}
			if _, err := w.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(f.Path())
		if err != nil {
			t.Fatal(err)
		}
		got := string(b)
		if try == 0 {
			want = got
			lines := strings.Split(got, "\n")
			if len(lines) != 8 || lines[2] != "key hf_[masked] end" || !strings.HasSuffix(lines[4], " more bytes]") || lines[6] != "last, without an end hf_[masked]" {
				t.Fatalf("lines: %.200q", lines)
			}
		}
		if got != want || strings.Contains(got, "abcdefgh") {
			t.Fatalf("cut otherwise, the file differs or holds the secret:\n%.300q\n%.300q", got, want)
		}
		for _, l := range texts(t, f) {
			if len(l) > MaxLine {
				t.Fatalf("a line has %d bytes", len(l))
			}
		}
	}
}

func TestLinesHaveTheTimeOfTheirArrival(t *testing.T) {
	w, f, c := newWriter(t, Keep{})
	begin := c.now.UnixMilli()
	for i := range 10 {
		fmt.Fprintf(w, "line %d\n", 2*i+1)
		c.now = c.now.Add(50 * time.Millisecond)
		fmt.Fprintf(w, "line %d\n", 2*i+2)
		c.now = c.now.Add(950 * time.Millisecond)
	}
	for _, from := range []int{1, 2, 7, 20} {
		lines, _, err := f.Lines(from, 20)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if want := begin + int64((l.N-1)/2)*1000; l.At != want {
				t.Errorf("from %d: line %d came at %d, want %d", from, l.N, l.At, want)
			}
		}
	}
	for _, q := range []struct {
		after int64
		line  int
		ok    bool
	}{{-5, 1, true}, {0, 1, true}, {1, 3, true}, {3000, 7, true}, {3001, 9, true}, {9000, 19, true}, {9001, 0, false}} {
		if line, ok, err := f.LineAt(begin + q.after); line != q.line || ok != q.ok || err != nil {
			t.Errorf("after %d ms: line %d %v %v, want %d %v", q.after, line, ok, err, q.line, q.ok)
		}
	}
}

func TestAnotherWriterGoesOn(t *testing.T) {
	w, f, c := newWriter(t, Keep{})
	fmt.Fprint(w, "one\ntwo\nhalf")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, f.Path(), "killed in mid-line") // no end
	c.now = c.now.Add(time.Hour)
	again, err := Open(f.Path(), Keep{}, c.time)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(again, "five\n")
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	lines, total, err := f.Lines(1, 10)
	if err != nil || total != 5 || lines[4].Text != "five" || lines[4].At != c.now.UnixMilli() || lines[0].At != 1_000_000 {
		t.Errorf("%v, %d lines, %v", lines, total, err)
	}
}

func TestARotatedLogLosesNothing(t *testing.T) {
	const total = 500
	w, f, _ := newWriter(t, Keep{Max: 4000, Old: 100})
	reader := New(f.Path())
	seen, gen := 0, 0
	for i := 1; i <= total; i++ {
		fmt.Fprintf(w, "this is line number %d\n", i)
		p, err := reader.Page(Query{From: 1, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if p.Gen != gen {
			gen, seen = p.Gen, 0
		}
		if len(p.Lines) != seen+1 || p.Lines[seen].Text != fmt.Sprintf("this is line number %d", i) {
			t.Fatalf("after line %d a reader sees %d lines of its file, want %d", i, len(p.Lines), seen+1)
		}
		seen++
	}
	if gen == 0 {
		t.Fatal("it was never rotated")
	}
	n := 0
	for old := gen; old >= 0; old-- {
		for _, l := range texts(t, New(Older(f.Path(), old))) {
			if n++; l != fmt.Sprintf("this is line number %d", n) {
				t.Fatalf("line %d is %q", n, l)
			}
		}
	}
	if n != total {
		t.Errorf("%d lines in all files, want %d", n, total)
	}
}

func TestABoundedLogKeepsItsHeadAndItsEnd(t *testing.T) {
	const bound = 100_000
	w, f, _ := newWriter(t, Keep{Max: bound})
	for i := 1; i <= 20_000; i++ {
		fmt.Fprintf(w, "printed line %d\n", i)
		if i%5000 == 0 {
			fmt.Fprintf(w, "INFO :      [ROUND %d/4]\n", i/5000)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(f.Path())
	if err != nil || st.Size() > bound+1000 || st.Size() < bound*8/10 {
		t.Errorf("the file has %d bytes, the bound is %d (%v)", st.Size(), bound, err)
	}
	lines := texts(t, f)
	if lines[0] != "printed line 1" || lines[len(lines)-1] != "printed line 20000" {
		t.Errorf("it begins with %q and ends with %q", lines[0], lines[len(lines)-2:])
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{"[This log has reached its bound of 100000 bytes", "lines are left out here", "[ROUND 2/4]", "[ROUND 3/4]", "[ROUND 4/4]"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
}

// A long line is cut between letters, by the writer and by the reader of a file that another program wrote.
func TestALongLineIsCutBetweenLetters(t *testing.T) {
	for _, pad := range []string{"", "x", "xx", "xxx"} {
		for _, letters := range []int{MaxLine / 4, MaxLine/4 + 2, MaxLine} {
			line := pad + strings.Repeat("😀", letters)
			w, f, _ := newWriter(t, Keep{})
			fmt.Fprintln(w, line)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			other := filepath.Join(t.TempDir(), "other.log")
			write(t, other, line+"\nnext\n")
			for from, f := range map[string]*File{"written": f, "read": New(other)} {
				got := texts(t, f)[0]
				kept, more, cut := strings.Cut(got, " … [")
				if !utf8.ValidString(got) || strings.Contains(got, "\ufffd") || !strings.HasPrefix(line, kept) || cut && !strings.HasPrefix(more, fmt.Sprint(len(line)-len(kept))) || !cut && kept != line {
					t.Errorf("%s, %d bytes: %d are kept, then %q", from, len(line), len(kept), more)
				}
			}
		}
	}
}

// BenchmarkWriter tells how many lines a second are masked and stored.
func BenchmarkWriter(b *testing.B) {
	w, err := Open(filepath.Join(b.TempDir(), "x.log"), Keep{Max: 64 << 20, Old: 1}, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	line := "\x1b[92mINFO \x1b[0m:      aggregate_train: Received 2 results and 0 failures\n"
	chunk := []byte(strings.Repeat(line, 800)) // what a full pipe holds
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		if _, err := w.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(800*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
