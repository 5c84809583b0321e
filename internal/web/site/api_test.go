package site_test

import (
	"encoding/json"
	"strings"
	"testing"

	"blossomtune/internal/servertest"
)

// The page has every operation of the description, with its path and its fields, and loads nothing from elsewhere.
func TestTheReferenceIsComplete(t *testing.T) {
	s := servertest.New(t)
	var d struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		}
	}
	if err := json.Unmarshal([]byte(s.Get("stranger", "/api/openapi.json").Body), &d); err != nil || len(d.Paths) < 50 {
		t.Fatal(len(d.Paths), err)
	}
	page := s.Get("stranger", "/api").Body
	for path, methods := range d.Paths {
		for method, o := range methods {
			if !strings.Contains(page, ` id="`+o.OperationID+`"`) || !strings.Contains(page, strings.ToUpper(method)+" "+path+"</code>") {
				t.Errorf("%s %s is missing", method, path)
			}
		}
	}
	for _, want := range []string{"settings.wall_seconds", "participants[].", "One of ", "Idempotency-Key", "in the query", "list of objects"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	for _, not := range []string{"src=\"http", "&lt;nil&gt;", "%!"} {
		if strings.Contains(page, not) {
			t.Errorf("it contains %q", not)
		}
	}
}
