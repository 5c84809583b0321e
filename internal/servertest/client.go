package servertest

import (
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// Bearer sends a request with an API token.
func (s *Site) Bearer(token, method, path, body string) Answer {
	return s.Send("stranger", method, path, nil, func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		if body != "" {
			r.Body, r.ContentLength = Body(body), int64(len(body))
		}
	})
}

// API calls the API as the admin.
func (s *Site) API(method, path, body string) Answer {
	return s.Send("admin", method, "/api/v1"+path, nil, func(r *http.Request) {
		r.Body, r.ContentLength = Body(body), int64(len(body))
		r.Header.Set("Content-Type", "application/json")
	})
}

// GetWith sends a GET with one header more.
func (s *Site) GetWith(kind, path, name, value string) Answer {
	s.T.Helper()
	return s.Send(kind, http.MethodGet, path, nil, func(r *http.Request) { r.Header.Set(name, value) })
}

// Body is a request's body.
func Body(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }

// ShareSecret makes a link to the site's run and returns its secret.
func ShareSecret(s *Site) string {
	a := s.Send("admin", http.MethodPost, "/api/v1/runs/r-1/shares", nil, func(r *http.Request) {
		r.Body, r.ContentLength = Body(`{"days":1}`), 10
		r.Header.Set("Content-Type", "application/json")
	})
	var link struct{ URL string }
	if err := json.Unmarshal([]byte(a.Body), &link); err != nil || !strings.Contains(link.URL, "/share/") {
		s.T.Fatalf("sharing: %d %s %v", a.Status, a.Body, err)
	}
	return link.URL[strings.LastIndex(link.URL, "/")+1:]
}

// Audited are the actions on a run, newest first.
func (s *Site) Audited(run string) (out []string) {
	s.T.Helper()
	for _, e := range s.AuditOf(run) {
		out = append(out, e.Action)
	}
	return out
}

// AuditOf are the audit entries on a run, newest first.
func (s *Site) AuditOf(run string) (out []domain.AuditEntry) {
	s.T.Helper()
	if err := s.Server.DB.View(s.T.Context(), func(tx *store.Tx) (err error) {
		out, err = tx.AuditEntries(s.T.Context(), domain.AuditFilter{ObjectKind: "run", ObjectID: run})
		return err
	}); err != nil {
		s.T.Fatal(err)
	}
	return out
}

// Counted returns the value of a metric of the server, "" while there is none.
func (s *Site) Counted(name string) string {
	s.T.Helper()
	for line := range strings.Lines(s.Get("stranger", "/metrics").Body) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
