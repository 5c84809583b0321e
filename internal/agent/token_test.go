package agent

import (
	"strings"
	"testing"
)

func TestTokensAndAddressesAsPeoplePasteThem(t *testing.T) {
	plain := strings.Repeat("0a", 32) + ".K7MP.s3cret"
	for _, in := range []string{plain, "\ufeff" + plain, plain[:70] + "\u200b" + plain[70:], " " + plain + "\u00a0\n", "“" + plain + "”", "'" + plain + "',", plain + ";"} {
		if got, err := parseToken(in); err != nil || got.text != plain || got.public != "K7MP" {
			t.Errorf("%q: %q, %v", in, got.text, err)
		}
	}
	for in, want := range map[string]string{
		"https://fl.example.org/": "fl.example.org", "\ufeffhttps://fl.example.org": "fl.example.org", "<https://fl.example.org:8443>": "fl.example.org:8443",
		"https://MÜNCHEN.example:8443": "xn--mnchen-3ya.example:8443", "https://[2001:db8::1]:8443": "[2001:db8::1]:8443",
	} {
		if got, err := parseServer(in, publicPin); err != nil || got.base.Host != want {
			t.Errorf("%q: %+v, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"https://fl.example.org?", "https://fl.example.org/a", "https://a@fl.example.org", "http://fl.example.org", "fl.example.org"} {
		if got, err := parseServer(in, publicPin); err == nil {
			t.Errorf("%q: %+v", in, got)
		}
	}
}
