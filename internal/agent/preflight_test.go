package agent

import (
	"bytes"
	"net"
	"strings"
	"testing"
)

// A proxy that is down is what the check names, not the server behind it. Proxies are read from the environment once in a process,
// so one test asks both.
func TestAProxyThatIsDownIsNamed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := ln.Addr().String()
	_ = ln.Close()
	t.Setenv("HTTPS_PROXY", "http://"+proxy)
	t.Setenv("https_proxy", "http://"+proxy)
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	var out bytes.Buffer
	good, err := Preflight(t.Context(), Options{URL: "https://fl.example.org", Token: "public.k.s", Out: &out})
	if err != nil || good {
		t.Fatalf("%v, %v", good, err)
	}
	said := out.String()
	if strings.Contains(said, "ok    proxy") || !strings.Contains(said, "FAIL  proxy        The proxy "+proxy+" does not answer.") || strings.Contains(said, "firewall") {
		t.Errorf("%s", said)
	}
	if !strings.Contains(said, "FAIL  connection   The proxy "+proxy+" does not answer.") {
		t.Errorf("%s", said)
	}
}
