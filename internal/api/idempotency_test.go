package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/servertest"
	"blossomtune/internal/store"
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

// Every operation whose answer has a field for a secret is known as one, so that the answer is not kept.
func TestAnswersWithSecretsAreKnown(t *testing.T) {
	s := newSite(t)
	var d map[string]any
	if err := json.Unmarshal([]byte(s.Get("stranger", "/api/openapi.json").Body), &d); err != nil {
		t.Fatal(err)
	}
	at := func(v any, path ...string) any {
		for _, p := range path {
			m, _ := v.(map[string]any)
			v = m[p]
		}
		return v
	}
	known := 0
	for path, methods := range d["paths"].(map[string]any) {
		post, ok := at(methods, "post").(map[string]any)
		if !ok || !strings.Contains(fmt.Sprint(post["parameters"]), "Idempotency-Key") {
			continue
		}
		schema := at(post, "responses", "200", "content", "application/json", "schema")
		if ref, ok := at(schema, "$ref").(string); ok {
			schema = at(d, "components", "schemas", ref[strings.LastIndex(ref, "/")+1:])
		}
		fields, _ := at(schema, "properties").(map[string]any)
		for _, name := range []string{"secret", "token", "link", "url", "command", "code", "text", "challenge"} {
			if fields[name] != nil && post["x-secret-answer"] != true {
				t.Errorf("POST %s answers with %q, and its answer is kept", path, name)
			}
		}
		if post["x-secret-answer"] == true {
			known++
		}
	}
	if known < 7 {
		t.Errorf("only %d operations are known to answer with a secret", known)
	}
}

// Whose rights have changed gets no answer of before.
func TestNoAnswerIsRepeatedAfterARoleChanged(t *testing.T) {
	s := newSite(t)
	first := s.keyed("manager", "/federations/fed/requests/approve", "key-1", `{"refs":["ASKER"]}`)
	if first.Status != http.StatusOK {
		t.Fatal(first.Status, first.Body)
	}
	s.Put(func(tx *store.Tx) error {
		return tx.SetGrantedRole(t.Context(), s.Persons["manager"].ID, s.Fed.ID, domain.RoleNone)
	})
	if again := s.keyed("manager", "/federations/fed/requests/approve", "key-1", `{"refs":["ASKER"]}`); again.Status/100 == 2 {
		t.Errorf("the answer of before: %d %s", again.Status, again.Body)
	}
}
