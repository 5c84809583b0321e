package config

import (
	"strings"
	"testing"
)

func TestSettingsMaskSecrets(t *testing.T) {
	c := Config{Data: "d", Listen: "127.0.0.1:1", Database: "postgres://u:hunter2@db/x", Mail: Mail{Password: "hunter2"}}
	if err := c.Resolve(); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, s := range c.Settings() {
		if strings.Contains(s.Value, "hunter2") {
			t.Errorf("%s shows a secret: %s", s.Env, s.Value)
		}
		if s.Help == "" || !strings.HasPrefix(s.Env, "BLOSSOMTUNE_") || names[s.Env] {
			t.Errorf("setting %+v has no help or no name of its own", s)
		}
		names[s.Env] = true
	}
}

func TestResolve(t *testing.T) {
	good := map[string]string{"127.0.0.1:8443": "http://localhost:8443", "0.0.0.0:1": "http://localhost:1", "192.0.2.1:443": "https://192.0.2.1:443", ":7": "http://localhost:7"}
	for listen, want := range good {
		c := Config{Listen: listen}
		if err := c.Resolve(); err != nil || c.PublicURL != want {
			t.Errorf("%s: %q, %v; want %q", listen, c.PublicURL, err, want)
		}
	}
	bad := []Config{
		{Listen: "nowhere"}, {Listen: ":1", TLSCert: "x"}, {Listen: ":1", PublicURL: "ftp://x"},
		{Listen: ":1", PublicURL: "https://x/path"}, {Listen: ":1", Mail: Mail{Host: "mail.example.org"}},
	}
	for _, c := range bad {
		if err := c.Resolve(); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}
