package provider

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// claims are what an ID token or a userinfo answer says. Issuers differ in the types that they use, and a claim of an unexpected type
// must not refuse anyone: it is read as what it most likely means, or as nothing.
type claims map[string]json.RawMessage

func readClaims(text []byte) (claims, error) {
	var c claims
	if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")), &c); err != nil {
		return nil, fmt.Errorf("reading the claims: %w", err)
	}
	return c, nil
}

// text returns the first of the claims that has a text. A number is its digits.
func (c claims) text(names ...string) string {
	for _, name := range names {
		if s := textOf(c[name]); s != "" {
			return s
		}
	}
	return ""
}

func textOf(raw json.RawMessage) string {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return ""
	}
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	}
	return ""
}

// yes reports whether a claim says so: true, "true", 1 or "1". Everything else is no.
func (c claims) yes(name string) bool {
	switch strings.ToLower(strings.Trim(string(bytes.TrimSpace(c[name])), `"`)) {
	case "true", "1":
		return true
	}
	return false
}

// groupNames are the fields of a group that is an object, the name that people use first.
var groupNames = []string{"preferred_username", "full_path", "path", "name", "display_name", "displayName", "display", "value", "id"}

// groups returns the names of a claim that lists groups or organisations: texts, numbers or objects, or one of them alone.
func (c claims) groups(name string) (out []string) {
	raw := c[name]
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		all = []json.RawMessage{raw}
	}
	for _, one := range all {
		text := textOf(one)
		if object, err := readClaims(one); text == "" && err == nil {
			text = object.text(groupNames...)
		}
		if text != "" {
			out = append(out, text)
		}
	}
	return out
}
