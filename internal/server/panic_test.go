package server_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// A handler that panics costs its request alone, on each surface: the stack is logged once with the request's id, the answer has the
// surface's own form, and it is counted.
func TestAPanicCostsItsRequestAlone(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		surface, method, path, within, contentType string
		form                                       func(t *testing.T, body, id string)
	}{
		{"pages", "GET", "/f/fed", "visit.(*Host).identify", "text/html", func(t *testing.T, body, id string) {
			if !strings.Contains(body, "<html") || !strings.Contains(body, id) || !strings.Contains(body, "</html>") {
				t.Errorf("this is no page with %s: %.500s", id, body)
			}
		}},
		{"pages", "GET", "/find.json?q=x", "visit.(*Host).identify", "application/problem+json", problemWith},
		{"api", "GET", "/api/v1/runs/r-1", "api.(*api).caller", "application/problem+json", problemWith},
		{"gateway", "POST", "/v1/fleet/pull-messages", "fleet.(*call).serve", "application/json", func(t *testing.T, body, id string) {
			var p struct{ Detail string }
			if err := json.Unmarshal([]byte(body), &p); err != nil || !strings.Contains(p.Detail, id) {
				t.Errorf("this is no error of Flower with %s: %s", id, body)
			}
		}},
	} {
		t.Run(c.surface+" "+c.path, func(t *testing.T) {
			before, counted := len(s.panics()), s.Counted(`blossomtune_request_panics_total{surface="`+c.surface+`"}`)
			s.Breaks.Store(&c.within)
			a := s.Send("viewer", c.method, c.path, nil, func(r *http.Request) {
				if c.surface == "gateway" {
					r.Header.Set("Content-Type", "application/protobuf")
				}
			})
			lines := s.panics()[before:]
			if len(lines) != 1 || !strings.Contains(lines[0], "surface="+c.surface) || !strings.Contains(lines[0], "servertest.go") {
				t.Fatalf("the log has %d lines: %.3000s", len(lines), lines)
			}
			_, id, _ := strings.Cut(lines[0], "request=")
			id, _, _ = strings.Cut(id, " ")
			if a.Status != http.StatusInternalServerError || !strings.HasPrefix(a.Header.Get("Content-Type"), c.contentType) || id == "" {
				t.Errorf("%d %v, id %q", a.Status, a.Header, id)
			}
			c.form(t, a.Body, id)
			if now := s.Counted(`blossomtune_request_panics_total{surface="` + c.surface + `"}`); now == counted {
				t.Errorf("it is not counted: %s", now)
			}
			if strings.Contains(a.Body, "servertest.go") {
				t.Error("the stack is in the answer")
			}
		})
	}
	if a := s.Get("viewer", "/f/fed"); a.Status != http.StatusOK {
		t.Errorf("afterwards: %d", a.Status)
	}
}

func problemWith(t *testing.T, body, id string) {
	t.Helper()
	var p struct{ Code, Message, Remedy string }
	if err := json.Unmarshal([]byte(body), &p); err != nil || p.Code != "internal" || p.Message == "" || !strings.Contains(p.Remedy, id) {
		t.Errorf("this is no problem with %s: %s", id, body)
	}
}

// An event stream whose handler panics later on ends as if the server had ended it: the browser opens it again.
func TestAStreamThatPanicsEnds(t *testing.T) {
	s := newSite(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Server.PublicURL()+"/f/fed/runs/r-1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: s.Cookies["viewer"]})
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	within := "live.(*Streams).Follow"
	s.Breaks.Store(&within)
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, bufio.NewReader(res.Body))
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%s, then %v", res.Status, err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the stream goes on")
	}
	if lines := s.panics(); len(lines) != 1 {
		t.Errorf("the log has %d panics", len(lines))
	}
}

// panics are the lines of the server's log about requests that panicked.
func (s *site) panics() (out []string) {
	s.T.Helper()
	log, err := os.ReadFile(s.Log)
	if err != nil {
		s.T.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "a request panicked") {
			out = append(out, line)
		}
	}
	return out
}
