package runtimeproxy

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/flower/observe"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// carrier is a SuperLink that keeps what reaches it.
type carrier struct{ got map[string][]byte }

func (c *carrier) RoundTrip(r *http.Request) (*http.Response, error) {
	body := make([]byte, r.ContentLength)
	if _, err := r.Body.Read(body); err != nil && len(body) > 0 && err.Error() != "EOF" {
		return nil, err
	}
	c.got[r.URL.Path] = body
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// The SuperLink keeps what it is told in its database: neither what an app prints nor a secret in its last words gets there.
func TestTheSuperLinkHearsNoSecretWords(t *testing.T) {
	secret := "hf_" + strings.Repeat("aB3d", 8)
	c := &carrier{got: map[string][]byte{}}
	var told string
	seen := observe.New(observe.Options{FederationID: 1, EngineRunID: 2, Clock: time.Now,
		OnSign: func(_ observe.Sign, _, details string) { told += details }})
	p := New(Options{Observer: seen, Upstream: mustURL(t, "https://localhost"), Transport: c, Clock: time.Now})
	call := func(name string, body []byte) {
		t.Helper()
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, prefix+name, strings.NewReader(string(body))))
		if w.Code != http.StatusOK {
			t.Fatalf("%s is answered with %d %s", name, w.Code, w.Body)
		}
	}
	call("push-logs", []byte("\x0a\x22login with "+secret))
	body, err := proto.Marshal(&flwrpb.PushTaskOutputRequest{SubStatus: "failed", Details: "ValueError: bad token " + secret})
	if err != nil {
		t.Fatal(err)
	}
	call("push-task-output", body)
	if _, reached := c.got[prefix+"push-logs"]; reached {
		t.Error("the SuperLink got the log")
	}
	var out flwrpb.PushTaskOutputRequest
	if err := proto.Unmarshal(c.got[prefix+"push-task-output"], &out); err != nil || out.GetDetails() != "ValueError: bad token hf_[masked]" || out.GetSubStatus() != "failed" {
		t.Errorf("the SuperLink got %v, %v", &out, err)
	}
	if told != "ValueError: bad token hf_[masked]" {
		t.Errorf("the launcher heard %q", told)
	}
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
