package runs_test

import (
	"net/http"
	"strings"
	"testing"
)

// What is made as it is sent says that it cannot be resumed, and a Range gets the whole of it.
func TestStreamedDownloadsSayTheyCannotBeResumed(t *testing.T) {
	s := newSite(t)
	s.Wrote(artifactFiles())
	for _, path := range []string{"/f/fed/runs/r-1/artifacts.zip", "/f/fed/runs/r-1/metrics.csv", "/f/fed/runs/r-1/metrics.json", "/api/v1/runs/r-1/metrics.csv", "/f/fed/runs.csv", "/f/fed/requests.csv", "/admin/audit.csv"} {
		a := s.Send("admin", http.MethodGet, path, nil, func(r *http.Request) { r.Header.Set("Range", "bytes=1-2") })
		if a.Status != http.StatusOK || len(a.Body) <= 2 || a.Header.Get("Accept-Ranges") != "none" {
			t.Errorf("%s: %d with %d bytes, Accept-Ranges %q", path, a.Status, len(a.Body), a.Header.Get("Accept-Ranges"))
		}
	}
	if a := s.Get("admin", "/api/openapi.json"); !strings.Contains(a.Body, "so the download cannot be resumed") ||
		!strings.Contains(a.Body, "packed as it is sent") {
		t.Error("the API does not say so")
	}
}
