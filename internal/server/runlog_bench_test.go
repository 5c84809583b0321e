package server

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// fillLog gives the site's run a log of n lines.
func (s *site) fillLog(n int) {
	s.t.Helper()
	dir := filepath.Join(s.app.o.Config.Data, "federations", strconv.FormatInt(s.fed.ID, 10), "runs", "42")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "serverapp.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	for i := 1; i <= n; i++ {
		fmt.Fprintf(w, "step %07d loss 0.4711 accuracy 0.8712 partition 3 of 10, epoch 2, batch 12 of 40, 0.25 s\n", i)
	}
	if err := w.Flush(); err != nil {
		s.t.Fatal(err)
	}
}

// BenchmarkPagesOfAMillionLines tells how long pages take while a log of a million lines is searched all the time: that of the
// federation, that of the run, and pages of the log.
func BenchmarkPagesOfAMillionLines(b *testing.B) {
	s := newSite(b)
	s.fillLog(1_000_000)
	handler, err := s.app.Handler()
	if err != nil {
		b.Fatal(err)
	}
	ask := func(path string) time.Duration {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
		r.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: s.cookies["manager"]})
		w := httptest.NewRecorder()
		began := time.Now()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		return time.Since(began)
	}
	log := "/f/fed/runs/r-1/log/"
	first := ask(log + "page?from=-500") // it makes the index
	stop, searched := make(chan struct{}), make(chan []time.Duration)
	go func() {
		var took []time.Duration
		for {
			select {
			case <-stop:
				searched <- took
				return
			default:
				took = append(took, ask(log+"search?q=surely+nowhere"))
			}
		}
	}()
	paths := []string{"/f/fed", "/f/fed/runs/r-1", log + "page?from=-500", log + "page?from=500000", log + "marks"}
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		took = append(took, ask(paths[i%len(paths)]))
	}
	close(stop)
	slices.Sort(took)
	of := <-searched
	slices.Sort(of)
	b.ReportMetric(float64(first.Milliseconds()), "first-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "page-p99-ms")
	b.ReportMetric(float64(of[len(of)/2].Milliseconds()), "search-p50-ms")
}
