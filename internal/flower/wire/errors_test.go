package wire

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"blossomtune/internal/domain"
)

type flwrError struct {
	Code    int    `json:"code"`
	Status  int    `json:"status"`
	Message string `json:"message"`
	Body    string `json:"body"`
}

// client returns a client of a server in the test that stands in for a SuperLink.
func client(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	c := &Client{base: srv.URL, http: srv.Client()}
	t.Cleanup(c.Close)
	return c
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// TestEveryErrorOfFlwr decodes each error answer that the installed flwr can give.
func TestEveryErrorOfFlwr(t *testing.T) {
	var all map[string]flwrError
	ask(t, "errors", nil, &all)
	if len(all) == 0 {
		t.Fatal("flwr has no errors")
	}
	for name, want := range all {
		_, err := client(t, answering(want.Status, want.Body)).ListNodes(t.Context())
		var e *Error
		if !errors.As(err, &e) || e.Status != want.Status || e.Code != want.Code || e.Message != want.Message+" what exactly" {
			t.Errorf("%s %+v: got %+v", name, want, err)
		}
		if !IsStatus(err, want.Status) || IsStatus(err, want.Status+1) {
			t.Errorf("%s: IsStatus does not tell %d", name, want.Status)
		}
	}
}

func TestErrorsThatAreNoneOfFlwrs(t *testing.T) {
	for body, message := range map[string]string{
		``:                                    "Bad Gateway",
		`<html>`:                              "Bad Gateway",
		`{"detail":"Not Found"}`:              "Not Found",
		`{"detail":[{"msg":"field needed"}]}`: "Bad Gateway",
		`{"detail":{"a":1},"code":"x"}`:       "Bad Gateway",
		`[]`:                                  "Bad Gateway",
		strings.Repeat("x", 2*maxError):       "Bad Gateway",
	} {
		_, err := client(t, answering(http.StatusBadGateway, body)).ListNodes(t.Context())
		var e *Error
		if !errors.As(err, &e) || e.Status != http.StatusBadGateway || e.Code != 0 || e.Message != message {
			t.Errorf("%.60q: got %v", body, err)
		}
	}
}

// TestWhatErrorsMean holds the client's promises about the errors of flwr that it gives a meaning.
func TestWhatErrorsMean(t *testing.T) {
	var all map[string]flwrError
	ask(t, "errors", nil, &all)
	register := func(c *Client) error { _, err := c.RegisterNode(t.Context(), []byte("key"), ""); return err }
	unregister := func(c *Client) error { return c.UnregisterNode(t.Context(), 7) }
	stop := func(c *Client) error { return c.StopRun(t.Context(), 7) }
	start := func(c *Client) error { _, err := c.StartRun(t.Context(), []byte("fab"), nil); return err }
	for _, tt := range []struct {
		name, error string
		call        func(*Client) error
		want        domain.Code
	}{
		{"the key is registered", "PUBLIC_KEY_ALREADY_IN_USE", register, domain.Conflict},
		{"the key is none", "PUBLIC_KEY_NOT_VALID", register, domain.Invalid},
		{"the versions do not fit", "RUNTIME_VERSION_INCOMPATIBLE", register, domain.Invalid},
		{"the node is gone", "NODE_NOT_FOUND", unregister, ""},
		{"the node is another's", "NODE_NOT_FOUND_OR_NOT_OWNER", unregister, domain.Internal},
		{"the run is unknown", "RUN_ID_NOT_FOUND", stop, domain.NotFound},
		{"the config is wrong", "INVALID_RUN_CONFIG", start, domain.Invalid},
		{"the SuperLink failed", "FAILED_TO_CREATE_RUN", start, domain.Internal},
	} {
		e, ok := all[tt.error]
		if !ok {
			t.Errorf("flwr has no error %s", tt.error)
			continue
		}
		if got := domain.CodeOf(tt.call(client(t, answering(e.Status, e.Body)))); got != tt.want {
			t.Errorf("%s (%s): code %q, want %q", tt.name, tt.error, got, tt.want)
		}
	}
	// A 404 of something else, such as a path that has moved, says nothing about a node.
	if err := unregister(client(t, answering(http.StatusNotFound, `{"detail":"Not Found"}`))); err == nil {
		t.Error("a path that is not there counts as a node that is gone")
	}
	dead := client(t, answering(http.StatusOK, ""))
	dead.base = "https://127.0.0.1:1"
	if got := domain.CodeOf(start(dead)); got != domain.Unavailable {
		t.Errorf("nobody listens: code %q", got)
	}
}
