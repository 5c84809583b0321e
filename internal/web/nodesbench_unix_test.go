//go:build unix

package web_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

// BenchmarkNodesPage tells what the page of 10,000 SuperNodes, and their federation's, cost the server, and how large they are compressed.
// The CPU time is that of the whole process, so on PostgreSQL it is without the database's.
func BenchmarkNodesPage(b *testing.B) {
	onEach(b, func(s *site) { s.fillNodes(1, domain.MaxPartitions); s.Took("all", 101, map[uint64]string{1: "ok"}) }, func(b *testing.B, s *site) {
		for _, path := range nodePages {
			b.Run(path, func(b *testing.B) { s.benchCPU(b, path) })
		}
	})
}

// benchCPU asks for one page and reports its CPU time, its time and its size.
func (s *site) benchCPU(b *testing.B, path string) {
	handler, err := s.Server.Handler()
	if err != nil {
		b.Fatal(err)
	}
	size, took := 0, []time.Duration{}
	before := cpuTime(b)
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		r.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: s.Cookies["manager"]})
		w, start := httptest.NewRecorder(), time.Now()
		handler.ServeHTTP(w, r)
		took = append(took, time.Since(start))
		if w.Code != http.StatusOK {
			b.Fatalf("%s: %d", path, w.Code)
		}
		size = w.Body.Len()
	}
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(size)/1000, "gzip-KB")
}

// cpuTime is what this process has used so far.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
