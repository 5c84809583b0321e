package provider

import (
	"strings"
	"testing"
)

// FuzzClaims reads claims of any form: they never end the process, and only what says so is verified.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{`{"sub":"1","email_verified":true,"groups":["a"]}`, `{"email_verified":"true","groups":"a"}`, `{"email_verified":1,"groups":[{"name":1},null]}`, `{"groups":{"groups":[]},"name":1e999}`, `null`, `[]`, "\ufeff{}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := readClaims(text)
		if err != nil {
			return
		}
		said := strings.ToLower(string(c["email_verified"]))
		if c.yes("email_verified") && !strings.Contains(said, "true") && !strings.Contains(said, "1") {
			t.Errorf("%s is taken for yes", said)
		}
		for _, g := range append(c.groups("groups"), c.text("sub", "name", "email")) {
			if len(g) > 3*len(text) { // a byte that is no UTF-8 becomes three
				t.Errorf("%q grew out of %d bytes", g, len(text))
			}
		}
	})
}
