package client_test

import (
	"encoding/json"
	"errors"
	"testing"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"

	"github.com/google/go-cmp/cmp"
)

// Errors come back as the server had them: with every problem of a form, the code by the status, and never as an answer.
func TestErrorsComeBackAsTheServerHadThem(t *testing.T) {
	several := `{"status":422,"code":"invalid","message":"a","field":"x","errors":[{"message":"a","field":"x"},{"message":"b","field":"y","remedy":"r"}]}`
	for name, c := range map[string]struct {
		status int
		body   string
		want   domain.Errors
	}{
		"one": {404, `{"status":404,"code":"not_found","message":"No such run.","remedy":"List them."}`,
			domain.Errors{{Code: domain.NotFound, Message: "No such run.", Remedy: "List them."}}},
		"several": {422, several, domain.Errors{{Code: domain.Invalid, Message: "a", Field: "x"},
			{Code: domain.Invalid, Message: "b", Field: "y", Remedy: "r"}}},
		"a proxy's page":  {502, `<html>`, domain.Errors{{Code: domain.Unavailable, Message: "The server answers with status 502."}}},
		"another's words": {403, `{"detail":"No."}`, domain.Errors{{Code: domain.Forbidden, Message: "No."}}},
		"a lie": {500, `{"status":403,"code":"forbidden","message":"Leave."}`,
			domain.Errors{{Code: domain.Unavailable, Message: "The server answers with status 500."}}},
	} {
		err := client.ErrorOf(c.status, []byte(c.body))
		var got domain.Errors
		if !errors.As(err, &got) {
			var e *domain.Error
			errors.As(err, &e)
			got = domain.Errors{e}
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// Whatever a path's argument holds stays one segment.
func TestPathEscapes(t *testing.T) {
	if got := client.Path("/runs/%s/rounds/%d", "a/../b?c", 3); got != "/runs/a%2F..%2Fb%3Fc/rounds/3" {
		t.Error(got)
	}
}

// A config value may be a text, a number or a boolean; a number keeps its digits.
func TestConfigValuesAreTypedOrText(t *testing.T) {
	var got map[string]client.ConfigValue
	if err := json.Unmarshal([]byte(`{"a":"x","b":0.10,"c":true,"d":123456789012345678901,"e":-1e-3}`), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "x", "b": "0.10", "c": "true", "d": "123456789012345678901", "e": "-1e-3"}
	if d := cmp.Diff(want, client.ConfigTexts(got)); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{`{"a":null}`, `{"a":[1]}`, `{"a":{}}`} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s was taken as %v", bad, got)
		}
	}
}
