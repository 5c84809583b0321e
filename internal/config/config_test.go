package config

import (
	"errors"
	"strings"
	"testing"

	"blossomtune/internal/domain"
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

func TestPublicURLIsAServerAndNoMore(t *testing.T) {
	for in, want := range map[string]string{
		"https://fl.example.org/": "https://fl.example.org", "HTTPS://FL.Example.org:8443": "https://fl.example.org:8443", "https://münchen.example": "https://xn--mnchen-3ya.example",
		"\ufeffhttps://fl.example.org\u200b": "https://fl.example.org", "“https://fl.example.org”": "https://fl.example.org", "https://fl.example.org.": "https://fl.example.org",
		"http://[::1]:8443": "http://[::1]:8443", "http://192.0.2.1": "http://192.0.2.1", "https://fl.example.org:": "https://fl.example.org",
	} {
		if c := (Config{Listen: ":1", PublicURL: in}); c.Resolve() != nil || c.PublicURL != want {
			t.Errorf("%q became %q; want %q", in, c.PublicURL, want)
		}
	}
	for _, in := range []string{
		"https://fl.example.org:8443/?x=1", "https://fl.example.org?", "https://fl.example.org#top", "https://fl.example.org/#", "https://admin:hunter2@fl.example.org", "https://admin@fl.example.org",
		"https://fl.example.org:99999", "https://fl.example.org:x", "https://", "https:///x", "https:fl.example.org", "fl.example.org", "https://exa mple.org", "https://fl.example.org/a", "https://fl\\example.org",
	} {
		c := Config{Listen: ":1", PublicURL: in}
		if err := c.Resolve(); err == nil || !strings.Contains(err.Error(), "public-url") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestDatabaseAddressNeverShowsItsPassword(t *testing.T) {
	for _, in := range []string{
		"postgres://fl:Zq@Zq/w#Zq%zz@127.0.0.1:18260/fl", "postgres://fl:Zq@Zq@db/fl", "postgresql://fl:Zq/Zq@db/fl", "postgres://fl:12/Zq@db/fl", "postgres://fl:Zq?Zq@db/fl", "postgres://fl:12?Zq@db/fl",
		"postgres://fl:12?a=Zq@db/fl", "postgres://fl:12#Zq@db/fl", "postgres://fl:Zq%Zq@db/fl", "postgres://fl:Z q@db/fl", "POSTGRES://fl:Zq@Zq@db/fl", "postgres://fl:Zq@db/fl#Zq", "postgres://fl:Zq[Zq@db/fl",
	} {
		c := Config{Listen: ":1", Database: in}
		var e *domain.Error
		if err := c.Resolve(); !errors.As(err, &e) || !strings.Contains(e.Remedy, "%40") {
			t.Errorf("%s: %v; want a refusal that says what to write for an @", in, err)
		} else if text := e.Error() + e.Remedy; strings.Contains(text, "Z") || strings.Contains(text, "12") || strings.Contains(text, "fl:") {
			t.Errorf("%s: the error shows a part of the password: %s", in, text)
		}
	}
	for _, in := range []string{
		"postgres://fl:p%40ss%2Fw%23rd%25zz@127.0.0.1:18260/fl", "postgres://fl@db/fl?application_name=a@b", "postgres:///fl?host=/run/postgresql&user=a@b", "postgres://db/fl?sslmode=disable", "postgres://a,b:5433/fl",
		"sqlite:/data/p@ss#1?.db",
	} {
		if err := CheckDatabase(in); err != nil {
			t.Errorf("%s: %v", in, err)
		}
	}
	for in, want := range map[string]string{
		"postgres://fl:p@ss/w#rd%zz@db:5432/fl":               "postgres://fl:xxxxx@db:5432/fl",
		"postgres://fl:hunter2@db/fl?sslmode=disable":         "postgres://fl:xxxxx@db/fl?sslmode=disable",
		"postgres://db/fl?user=fl&password=hunter2&sslmode=x": "postgres://db/fl?user=fl&password=xxxxx&sslmode=x",
		"postgres://fl@db/fl":                                 "postgres://fl@db/fl",
		"sqlite:/data/x.db":                                   "sqlite:/data/x.db",
	} {
		if got := redacted(in); got != want {
			t.Errorf("%s is shown as %s; want %s", in, got, want)
		}
	}
}
