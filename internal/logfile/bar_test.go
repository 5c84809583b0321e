package logfile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// step is a state of a bar as tqdm writes it, about 100 bytes long.
func step(i int) string {
	return fmt.Sprintf("\r%3d%%|%s| %d/1000 [00:%02d, 15.87it/s]", i/10, strings.Repeat("█", i/40)+strings.Repeat(" ", 25-i/40), i, i/16)
}

// A bar of a minute that ends its line only at its end: its newest state is in the log all the time, within seconds, and its last one
// at the end.
func TestAProgressBarShowsItsNewestState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f, _ := newWriter(t, Keep{})
		write := func(s string) { _, _ = w.Write([]byte(s)) }
		write("before\n")
		start := time.Now()
		for i := range 1001 {
			write(step(i))
			<-time.After(63 * time.Millisecond)
			if time.Since(start) < barFirst+100*time.Millisecond {
				continue
			}
			synctest.Wait()
			got := texts(t, f)
			var percent, at int
			if _, err := fmt.Sscanf(got[len(got)-1], "%d%%|", &percent); err != nil {
				t.Fatalf("after %s the last line is %q", time.Since(start), got[len(got)-1])
			}
			if at = i / 10; at-percent > 9 { // 5 s of 63
				t.Fatalf("at %d %% the log shows %d %%", at, percent)
			}
		}
		<-time.After(2 * barEvery) // it stands still: nothing more is told
		write("\n")
		write("after\n")
		got := texts(t, f)
		if got[0] != "before" || got[len(got)-1] != "after" || got[len(got)-2] != strings.TrimPrefix(step(1000), "\r") || len(got) > 20 {
			t.Errorf("%d lines: %q", len(got), got)
		}
		if slices.Equal(got[len(got)-3:len(got)-2], got[len(got)-2:len(got)-1]) {
			t.Errorf("the last state is there twice: %q", got)
		}
	})
}

// A bar that stands still after some steps is seen as far as it came.
func TestAProgressBarThatStandsStillIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, f, _ := newWriter(t, Keep{})
		for i := range 300 {
			_, _ = w.Write([]byte(step(i)))
		}
		<-time.After(barFirst + time.Hour)
		synctest.Wait()
		_, _ = w.Write([]byte("\r"))
		if got := texts(t, f); len(got) != 1 || got[0] != strings.TrimPrefix(step(298), "\r") && got[0] != strings.TrimPrefix(step(299), "\r") {
			t.Errorf("%q", got)
		}
	})
}

func TestWhatCarriageReturnsLeave(t *testing.T) {
	for in, want := range map[string]string{
		"one\r\ntwo\r\r\nthree\n":    "one|two|three",
		"a\rb\rc\n":                  "c",
		"50%\r100%\r   \r\nnext\n":   "100%|next",
		"50%\r100%\r\x1b[2K\x1b[K\n": "100%",
		"\r0%\r100%\n\nx\n":          "100%||x",
		"0%\r100%":                   "100%",
		"0%\r":                       "0%",
		"\r\n":                       "",
		"a " + secret + "\rb\n":      "b",
		"b\ra " + secret + "\n":      "a hf_[masked]",
		strings.Repeat("x", 3*MaxLine) + "\rshort\nz": "short|z",
	} {
		for _, n := range []int{1, 2, 3, 7, len(in)} { // however it is cut
			w, f, _ := newWriter(t, Keep{})
			for rest := in; rest != ""; {
				_, _ = w.Write([]byte(rest[:min(n, len(rest))]))
				rest = rest[min(n, len(rest)):]
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(texts(t, f), "|"); got != want {
				t.Errorf("%.60q in parts of %d: %.100q; want %q", in, n, got, want)
			}
		}
	}
}
