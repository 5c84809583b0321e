package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

const (
	manyRuns    = 1000
	manyMetrics = 50
)

// BenchmarkRunsPage tells how long the server takes for the table of 1,000 runs with 50 metrics each: by state, search and tag, in
// every kind of order and grouping, with metric and config columns, at the front and deep in the list.
func BenchmarkRunsPage(b *testing.B) {
	onEach(b, func(s *site) { s.FillRuns(manyRuns, manyMetrics, 2) }, func(b *testing.B, s *site) { s.benchPages(b, s.runPages(b)) })
}

// runPages are addresses of the table of runs.
func (s *site) runPages(b *testing.B) (out []string) {
	columns := "&cols=1&col=config.lr&col=config.optimizer&col=evaluate.accuracy.max&col=evaluate.loss.min&col=train.loss.last&col=evaluate.class-30-recall.last"
	for _, filter := range []string{"", "state=failed", "state=completed&tag=sweep", "q=digits-9"} {
		for _, order := range []string{"", "&sort=name&dir=asc", "&sort=took", "&sort=config.lr&dir=asc", "&sort=evaluate.accuracy.max"} {
			for _, group := range []string{"", "&group=tag", "&group=config.lr"} {
				out = append(out, "/f/fed/runs?"+filter+order+group, "/f/fed/runs?"+filter+order+group+columns)
			}
		}
	}
	for _, order := range []domain.RunOrder{"", "evaluate.accuracy.max"} {
		page, err := s.Server.Runs.Find(b.Context(), domain.RunQuery{FederationID: s.Fed.ID, Order: order, Limit: 800})
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, fmt.Sprintf("/f/fed/runs?sort=%s&after=%s%s", order, page.Next, columns))
	}
	return out
}

// benchPages asks for every page equally often and reports how long the server takes.
func (s *site) benchPages(b *testing.B, paths []string) {
	handler, err := s.Server.Handler()
	if err != nil {
		b.Fatal(err)
	}
	took := map[string][]time.Duration{}
	for b.Loop() {
		for _, path := range paths {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
			r.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: s.Cookies["manager"]})
			w := httptest.NewRecorder()
			start := time.Now()
			handler.ServeHTTP(w, r)
			took[path] = append(took[path], time.Since(start))
			if w.Code != http.StatusOK {
				b.Fatalf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	}
	var all []time.Duration
	worst, slowest := time.Duration(0), ""
	for p, ds := range took {
		all = append(all, ds...)
		slices.Sort(ds)
		if m := ds[len(ds)/2]; m > worst {
			worst, slowest = m, p
		}
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(worst.Microseconds())/1000, "slowest-page-ms")
	b.Logf("%d pages of %d; slowest in the median: %s", len(all), len(paths), slowest)
}
