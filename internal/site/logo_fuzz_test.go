package site

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"blossomtune/internal/domain"
)

// FuzzLogo reads any picture; what is taken holds nothing that acts, and comes back as it was.
func FuzzLogo(f *testing.F) {
	for _, text := range []string{`<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>`, `<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>`, `<svg xmlns="http://www.w3.org/2000/svg" onload="x"/>`,
		`<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "b">]><svg/>`, `<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:SCRIPT/></s:svg>`, `<svg xmlns="http://www.w3.org/2000/svg"><a xlink:href=" javascript:1"/></svg>`, "\x89PNG\r\n\x1a\n", ""} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		value, err := ReadLogo(data)
		if err != nil {
			if domain.CodeOf(err) != domain.Invalid {
				t.Errorf("an error that is not told: %v", err)
			}
			return
		}
		p, there, err := ParseLogo(value)
		if err != nil || !there || !bytes.Equal(p.Bytes, data) {
			t.Errorf("the picture came back as %q, %v", p.Bytes, err)
		}
		if p.Type != "image/svg+xml" {
			return
		}
		for d := xml.NewDecoder(bytes.NewReader(data)); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatalf("a drawing that cannot be read is taken: %v", err)
			}
			if e, ok := token.(xml.StartElement); ok && strings.EqualFold(e.Name.Local, "script") {
				t.Error("a script is taken")
			}
		}
	})
}
