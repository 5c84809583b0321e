package web_test

import (
	"encoding/json"
	"testing"

	"blossomtune/internal/domain"

	"github.com/google/go-cmp/cmp"
)

// The API's description lists every code of a cause.
func TestTheCodesOfCausesAreDescribed(t *testing.T) {
	s := newSite(t)
	var d struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Enum []domain.CauseCode }
			}
		}
	}
	if err := json.Unmarshal([]byte(s.Get("stranger", "/api/openapi.json").Body), &d); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(domain.CauseCodes(), d.Components.Schemas["Cause"].Properties["code"].Enum); diff != "" {
		t.Error(diff)
	}
}
