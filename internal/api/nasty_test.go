package api_test

import (
	"blossomtune/internal/servertest"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"blossomtune/internal/domain"
)

// nastyJSON are values as they stand in a body, some of them no JSON at all.
var nastyJSON = map[string]string{
	"1e999": "1e999", "-1": "-1", "0": "0", "greatest int64": "9223372036854775807", "int64 and one": "9223372036854775808", "least int64": "-9223372036854775808", "half": "0.5", "1e308": "1e308", "int32 and one": "2147483648",
	"NaN": "NaN", "null": "null", "list": "[[[]]]", "object": `{"a":{}}`, "deep": strings.Repeat("[", 20_000), "lone surrogate": `"\ud800"`, "escaped NUL": `"a\u0000b"`,
}

// spec is what this test reads of the API's description.
type spec struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]schema }
}

type operation struct {
	OperationID string
	Security    []map[string][]string
	Parameters  []struct {
		Name, In string
		Schema   schema
	}
	RequestBody struct {
		Content map[string]struct{ Schema schema }
	}
}

type schema struct {
	Ref                  string `json:"$ref"`
	Type                 any
	Enum                 []any
	Minimum              *float64
	Format               string
	Properties           map[string]schema
	Required             []string
	Items                *schema
	AdditionalProperties any
}

func (d *spec) follow(s schema) schema {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.Components.Schemas[name]
	}
	return s
}

func (s schema) is(kind string) bool {
	several, _ := s.Type.([]any)
	return s.Type == kind || slices.Contains(several, any(kind))
}

// good are values that bring a request further than a made-up one would.
func good(s *site, hash string) map[string]any {
	return map[string]any{"app": hash, "hash": hash, "against": hash, "federation": "fed", "run": "r-1", "ref": s.Kept.Ref,
		"refs": []any{s.Kept.Ref}, "id": 1, "round": 1, "email": "new@example.org", "emails": "new@example.org",
		"slug": "new-one", "domain": "example.org", "value": "example.org", "repository": "https://127.0.0.1:1/x.git", "path": "pyproject.toml", "config": map[string]any{"clip": "nan"}, "values": map[string]any{"name": "A name"}, "partitions": 10}
}

// value makes a valid value of a schema; only lists the properties besides the required ones.
func (d *spec) value(s schema, known map[string]any, only string) any {
	s = d.follow(s)
	switch {
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.is("object"):
		out := map[string]any{}
		for name, p := range s.Properties {
			if v, ok := known[name]; ok && (name == only || slices.Contains(s.Required, name)) {
				out[name] = v
			} else if name == only || slices.Contains(s.Required, name) {
				out[name] = d.value(p, known, "")
			}
		}
		return out
	case s.is("array"):
		return []any{d.value(*s.Items, known, "")}
	case s.is("integer"), s.is("number"):
		if s.Minimum != nil {
			return *s.Minimum
		}
		return 1
	case s.is("boolean"):
		return true
	case s.Format == "date-time":
		return "2030-01-02T03:04:05Z"
	}
	return "x"
}

const placeholder = "@@here@@"

// bodiesOf are the bodies of an operation, each with the placeholder in another place.
func (d *spec) bodiesOf(s schema, known map[string]any) (out []string) {
	s = d.follow(s)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := d.follow(s.Properties[name])
		places := []any{placeholder}
		switch {
		case p.is("array"):
			places = append(places, []any{placeholder})
			for _, sub := range slices.Sorted(maps.Keys(d.follow(*p.Items).Properties)) {
				item, _ := d.value(*p.Items, known, sub).(map[string]any)
				item[sub] = placeholder
				places = append(places, []any{item})
			}
		case p.is("object"):
			places = append(places, map[string]any{"clip": placeholder}, map[string]any{placeholder: "1"})
			for _, sub := range slices.Sorted(maps.Keys(p.Properties)) {
				inner, _ := d.value(p, known, sub).(map[string]any)
				inner[sub] = placeholder
				places = append(places, inner)
			}
		}
		for _, place := range places {
			body, _ := d.value(s, known, name).(map[string]any)
			body[name] = place
			text, _ := json.Marshal(body)
			out = append(out, string(text))
		}
	}
	return out
}

func (d *spec) attempts(s *site, hash string) (out []servertest.Attempt) {
	machine := s.Request("machine", s.Fed, domain.Approved) // no other request of the table revokes it
	known, key := good(s, hash), servertest.KeyOf(s.T, s.Server, machine.FederationID, machine.ID)
	for path, methods := range d.Paths {
		for method, op := range methods {
			fill := func(name, with string) (string, string) {
				p, query := path, url.Values{}
				for _, param := range op.Parameters {
					text := fmt.Sprint(known[param.Name])
					if known[param.Name] == nil {
						text = fmt.Sprint(d.value(param.Schema, known, ""))
					}
					if param.Name == name {
						text = with
					}
					if param.In == "path" {
						p = strings.ReplaceAll(p, "{"+param.Name+"}", url.PathEscape(text))
					} else if param.Name == name {
						query.Set(param.Name, text)
					}
				}
				return p, query.Encode()
			}
			add := func(what, p, query, body string) {
				a := servertest.Attempt{What: op.OperationID + ": " + what, Method: strings.ToUpper(method),
					Path: strings.TrimSuffix(p+"?"+query, "?"), Body: body, ContentType: "application/json"}
				if len(op.Security) > 0 && op.Security[0]["node"] != nil {
					a.Key = key
				}
				out = append(out, a)
			}
			plain, _ := fill("", "")
			for label, text := range servertest.NastyTexts {
				for _, param := range op.Parameters {
					if param.In == "path" && text == "" {
						continue
					}
					text = text[:min(len(text), 2000)] // an address is bounded before anything reads it
					p, query := fill(param.Name, text)
					add(param.Name+" "+label, p, query, "{}")
				}
			}
			for _, body := range d.bodiesOf(op.RequestBody.Content["application/json"].Schema, known) {
				for label, text := range servertest.NastyTexts {
					quoted, _ := json.Marshal(text)
					raw := `"` + strings.NewReplacer("\\", `\\`, `"`, `\"`, "\x00", `\u0000`, "\r", `\r`, "\n", `\n`, "\t", `\t`, "\x0b", `\u000b`).Replace(text) + `"` // with the invalid bytes as they are
					for _, v := range slices.Compact([]string{string(quoted), raw}) {
						add(body+" "+label, plain, "", strings.Replace(body, `"`+placeholder+`"`, v, 1))
					}
				}
				for label, raw := range nastyJSON {
					add(body+" "+label, plain, "", strings.Replace(body, `"`+placeholder+`"`, raw, 1))
				}
			}
		}
	}
	return out
}

// No value may make an operation of the API answer 5xx or drop the connection, on either database.
func TestNoValueBreaksAnOperation(t *testing.T) {
	servertest.NastySites(t, func(t *testing.T, s *servertest.Site, hash string) {
		var d spec
		if err := json.Unmarshal([]byte(s.Get("stranger", "/api/openapi.json").Body), &d); err != nil || len(d.Paths) < 50 {
			t.Fatalf("%d paths are described: %v", len(d.Paths), err)
		}
		all := d.attempts(&site{s}, hash)
		statuses, signed := map[int]int{}, map[int]int{}
		for i, a := range all {
			status := s.Attempt(i, a)
			if statuses[status]++; a.Key != nil {
				signed[status]++
			}
		}
		t.Logf("signed by a SuperNode: %v", signed)
		if signed[http.StatusUnauthorized] > 0 || signed[http.StatusOK]+signed[http.StatusNoContent] == 0 || signed[http.StatusUnprocessableEntity] == 0 {
			t.Errorf("calls that a SuperNode's key has signed got %v", signed)
		}
		t.Logf("%d requests: %v", len(all), statuses)
		if len(all) < 5000 || statuses[http.StatusOK] == 0 {
			t.Errorf("the table has %d requests with the answers %v", len(all), statuses)
		}
	})
}
