package web_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// BenchmarkPagesOfAMillionLines tells how long pages take while a log of a million lines is searched all the time: that of the
// federation, that of the run, and pages of the log.
func BenchmarkPagesOfAMillionLines(b *testing.B) {
	s := newSite(b)
	s.FillLog(1_000_000)
	handler, err := s.Server.Handler()
	if err != nil {
		b.Fatal(err)
	}
	ask := func(path string) time.Duration {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
		r.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: s.Cookies["manager"]})
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
