package safehttp

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRequestsAreLoggedWithoutSecrets(t *testing.T) {
	const secret = "564c9833cf8056464c9417a98647823c465889733dbc2d82"
	for _, c := range []struct {
		path, shown string
		status      int
		level       string
	}{
		{"/f/cardio/runs/digits-1?token=" + secret, "/f/cardio/runs/digits-1", 200, "INFO"},
		{"/signin/" + secret, "/signin/…", 200, "INFO"},
		{"/i/short", "/i/…", 404, "INFO"},
		{"/setup/" + secret, "/setup/…", 303, "INFO"},
		{"/people/ada@example.org/edit", "/people/…/edit", 200, "INFO"},
		{"/people/ada%40example.org", "/people/…", 200, "INFO"},
		{"/anything/" + secret + "/x", "/anything/…/x", 200, "INFO"},
		{"/api/v1/runs", "/api/v1/runs", 500, "WARN"},
		{"/healthz", "/healthz", 200, "DEBUG"},
		{"/" + strings.Repeat("a/", 300), "/" + strings.Repeat("a/", 99) + "a…", 404, "INFO"},
	} {
		var out bytes.Buffer
		var inside string
		h := Logged(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})),
			http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				inside = ID(r.Context())
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte("four"))
			}))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, c.path, nil))
		var line struct {
			Level, Request, Path, Method string
			Status, Bytes                int
		}
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatal(err, out.String())
		}
		if line.Path != c.shown || line.Status != c.status || line.Bytes != 4 || line.Level != c.level || line.Method != http.MethodGet {
			t.Errorf("%s: %s", c.path, out.String())
		}
		if id := w.Header().Get(IDHeader); len(id) != 10 || line.Request != id || inside != id {
			t.Errorf("ids: %q in the header, %q in the log, %q inside", id, line.Request, inside)
		}
		if strings.Contains(out.String(), secret) || strings.Contains(out.String(), "ada") {
			t.Errorf("the log holds a secret: %s", out.String())
		}
	}
}

func TestABrokenAnswerIsLogged(t *testing.T) {
	var out bytes.Buffer
	h := Logged(slog.New(slog.NewJSONHandler(&out, nil)), http.HandlerFunc(func(http.ResponseWriter,
		*http.Request) {
		panic(http.ErrAbortHandler)
	}))
	func() {
		defer func() { _ = recover() }()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/x", nil))
	}()
	if !strings.Contains(out.String(), `"broken_off":true`) || !strings.Contains(out.String(), `"WARN"`) {
		t.Error(out.String())
	}
}
