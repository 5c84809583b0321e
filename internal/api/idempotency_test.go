package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"blossomtune/internal/client"
	"blossomtune/internal/servertest"
)

// keyed calls the API with an Idempotency-Key.
func (s *site) keyed(kind, path, key, body string) servertest.Answer {
	s.T.Helper()
	return s.Send(kind, http.MethodPost, "/api/v1"+path, nil, func(r *http.Request) {
		r.Body, r.ContentLength = servertest.Body(body), int64(len(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", key)
	})
}

// A call that is repeated with its key creates nothing a second time, and gets the same answer.
func TestARepeatedCallIsCarriedOutOnce(t *testing.T) {
	s := newSite(t)
	body := `{"slug":"third","name":"Third","partitions":3}`
	first := s.keyed("admin", "/federations", "key-1", body)
	second := s.keyed("admin", "/federations", "key-1", body)
	if first.Status != http.StatusOK || first.Body == "" || second.Status != first.Status || second.Body != first.Body ||
		second.Header.Get("Idempotent-Replayed") != "true" || first.Header.Get("Idempotent-Replayed") != "" ||
		second.Header.Get("Content-Type") != first.Header.Get("Content-Type") {
		t.Fatalf("first %+v\nthen %+v", first, second)
	}
	if a := s.keyed("admin", "/federations", "key-2", body); a.Status != http.StatusConflict {
		t.Errorf("with another key: %d %s", a.Status, a.Body)
	}
	if a := s.keyed("admin", "/federations", "key-1", strings.Replace(body, "third", "fourth", 1)); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("another call with the key: %d %s", a.Status, a.Body)
	}
	if a := s.keyed("manager", "/federations", "key-1", body); a.Status != http.StatusForbidden {
		t.Errorf("somebody else: %d %s", a.Status, a.Body)
	}
	if a := s.keyed("admin", "/federations", "no key", body); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("a malformed key: %d %s", a.Status, a.Body)
	}
}

// An answer with a secret is given out once; the database does not have it.
func TestASecretIsNotGivenOutAgain(t *testing.T) {
	s := newSite(t)
	body := `{"name":"script","scope":"all","days":1}`
	first := s.keyed("manager", "/me/tokens", "key-1", body)
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(first.Body), &made); err != nil || made.Token == "" {
		t.Fatal(first)
	}
	second := s.keyed("manager", "/me/tokens", "key-1", body)
	if second.Status != http.StatusConflict || strings.Contains(second.Body, made.Token) || !strings.Contains(second.Body, "given out once") {
		t.Errorf("again: %d %s", second.Status, second.Body)
	}
	var tokens []client.PersonToken
	if err := json.Unmarshal([]byte(s.Get("manager", "/api/v1/me/tokens").Body), &tokens); err != nil || len(tokens) != 1 {
		t.Errorf("%d tokens, %v", len(tokens), err)
	}
}
