package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/logfile"
)

// A log is searched whole, jumped into by round and time, filtered by level and downloaded, all on the server.
func TestTheWholeLogIsSearchedOnTheServer(t *testing.T) {
	s := newSite(t)
	path := filepath.Join(s.Config.Data, "federations", strconv.FormatInt(s.Fed.ID, 10), "runs", "42", "serverapp.log")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	now := time.UnixMilli(1_700_000_000_000)
	w, err := logfile.Open(path, logfile.Keep{}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 12_000; i++ {
		switch {
		case i%4000 == 1:
			fmt.Fprintf(w, "\x1b[92mINFO \x1b[0m:      [ROUND %d/3]\n", i/4000+1)
		case i == 9000:
			fmt.Fprintf(w, "\x1b[91mERROR \x1b[0m:     the <b>needle</b>\n")
		default:
			fmt.Fprintf(w, "line %d\n", i)
		}
		if i%1000 == 0 {
			now = now.Add(time.Minute)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	base := "/f/fed/runs/r-1/log/"
	ask := func(path string, into any) {
		t.Helper()
		a := s.Get("participant", base+path)
		if a.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, a.Status, a.Body)
		}
		lines := strings.Split(strings.TrimSpace(a.Body), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), into); err != nil {
			t.Fatalf("%s: %v: %s", path, err, a.Body)
		}
	}
	var found struct {
		Count, Lines int
		Done         bool
	}
	if ask("search?q=NEEDLE", &found); found.Count != 1 || found.Lines != 12_000 || !found.Done {
		t.Errorf("the search found %+v", found)
	}
	if a := s.Get("participant", base+"search?q=NEEDLE"); !strings.Contains(a.Body, `"numbers":[9000]`) ||
		!strings.Contains(a.Body, `line 8995`) || !strings.Contains(a.Body, `line 9005`) {
		t.Errorf("the hit is told as %s", a.Body)
	}
	if ask(`search?pattern=1&q=line+\d%2B7$`, &found); found.Count == 0 {
		t.Error("the pattern is not found")
	}
	if a := s.Get("participant", base+"search?pattern=1&q=("); a.Status != http.StatusUnprocessableEntity ||
		!strings.Contains(a.Body, "regular expression") {
		t.Errorf("a bad pattern: %d %s", a.Status, a.Body)
	}
	var marks logfile.Marks
	if ask("marks", &marks); len(marks.Rounds) != 3 || marks.Rounds[2].Line != 8001 || marks.FirstBad != 9000 {
		t.Errorf("marks %+v", marks)
	}
	var at struct {
		Line  int
		Found bool
	}
	if ask(fmt.Sprint("at?ms=", 1_700_000_000_000+5*60_000), &at); !at.Found || at.Line != 5001 {
		t.Errorf("after five minutes: %+v", at)
	}
	var page logfile.Page
	if ask("page?level=error", &page); len(page.Lines) != 1 || page.Lines[0].N != 9000 || page.Next != 12_001 {
		t.Errorf("errors: %+v", page)
	}
	if ask("page?from=-2", &page); len(page.Lines) != 2 || page.Lines[1].N != 12_000 || page.Total != 12_000 || page.Lines[1].At == 0 {
		t.Errorf("the end: %+v", page)
	}
	if ask("page?before=4000&limit=10", &page); page.Lines[0].N != 3990 || page.Next != 3990 {
		t.Errorf("before line 4000: %+v", page)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if a := s.Get("participant", base+"text"); a.Body != string(text) || !strings.Contains(a.Header.Get("Content-Disposition"), "r-1.log") {
		t.Errorf("the download has %d bytes, the log %d (%s)", len(a.Body), len(text), a.Header.Get("Content-Disposition"))
	}
	if a := s.Get("participant", base+"nothing"); a.Status != http.StatusNotFound {
		t.Errorf("an unknown question: %d", a.Status)
	}
}
