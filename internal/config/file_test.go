package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"

	"github.com/alecthomas/kong"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "blossomtune.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func nothingGiven(string, string) bool { return false }

// Every flag of the command line is a key of the file, under the same name and with the same variable.
func TestEveryFlagIsAKeyOfTheFile(t *testing.T) {
	var c Config
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range parser.Model.Flags {
		if f.Name != "help" {
			want[f.Name] = strings.Join(f.Envs, ",")
		}
	}
	got := map[string]string{}
	for _, f := range c.flags() {
		got[f.name] = f.env
	}
	if !maps.Equal(got, want) {
		t.Errorf("the file has %v\nthe command line %v", got, want)
	}
	// And each of them can be set from a file.
	var text strings.Builder
	for _, f := range c.flags() {
		value := map[string]string{"bool": "true", "int": "587", "int64": "587", "time.Duration": `"3s"`, "[]string": `["x"]`, "string": `"x"`}[f.v.Type().String()]
		if value == "" {
			t.Fatalf("%s: say in this test and in flag.set what a %s looks like in the file", f.name, f.v.Type())
		}
		if f.enum != "" {
			value = fmt.Sprintf("%q", strings.Split(f.enum, ",")[0])
		}
		if f.name != "config" {
			fmt.Fprintf(&text, "%s = %s\n", f.name, value)
		}
	}
	c.File = write(t, text.String())
	if err := c.LoadFile(nothingGiven); err != nil {
		t.Fatal(err)
	}
	for _, f := range c.flags() {
		if f.v.IsZero() {
			t.Errorf("%s was not taken", f.name)
		}
	}
}

func TestTheFileComesAfterFlagsAndEnvironment(t *testing.T) {
	c := Config{Listen: "127.0.0.1:1", Data: "here", Mail: Mail{Port: 1}}
	c.File = write(t, "listen = \"127.0.0.1:2\"\ndata = \"there\"\nsmtp-port = 2\nstop-wait = \"2s\"\napps = \"apps\"\n[site]\nname = \"Cardio Net\"\n")
	err := c.LoadFile(func(flag, env string) bool { return flag == "listen" || env == "BLOSSOMTUNE_SMTP_PORT" })
	if err == nil {
		err = c.Resolve()
	}
	dir := filepath.Dir(c.File)
	if err != nil || c.Listen != "127.0.0.1:1" || c.Mail.Port != 1 || c.Data != filepath.Join(dir, "there") || c.StopWait != 2*time.Second || !slices.Equal(c.Apps, []string{filepath.Join(dir, "apps")}) {
		t.Errorf("%+v, %v", c, err)
	}
	if g := c.Site["name"]; g.Value != "Cardio Net" || g.From != "blossomtune.toml, line 7" {
		t.Errorf("%+v", g)
	}
	for _, s := range c.Settings() {
		if want := map[string]string{"BLOSSOMTUNE_DATA": "blossomtune.toml, line 2", "BLOSSOMTUNE_STOP_WAIT": "blossomtune.toml, line 4", "BLOSSOMTUNE_APPS": "blossomtune.toml, line 5"}[s.Env]; s.From != want {
			t.Errorf("%s is said to come from %q, want %q", s.Env, s.From, want)
		}
	}
}

// Each error says where: line and key; what: the cause; and what to do.
func TestErrorsOfTheFileNameLineKeyCauseAndRemedy(t *testing.T) {
	for text, want := range map[string][]string{
		"\nlisten = 8443\n":                                {"line 2, listen: This is no text.", "between quotes"},
		"Listen_ = \"x\"\n":                                {"line 1, Listen_: There is no such setting.", "Did you mean listen?"},
		"# c\n\nnonsense = 1\n":                            {"line 3, nonsense: There is no such setting.", "--help"},
		"smtp-port = \"x\"\n":                              {"line 1, smtp-port: This is no whole number.", "smtp-port = 587"},
		"smtp-tls = \"ssl\"\n":                             {`line 1, smtp-tls: "ssl" is not among the choices.`, "starttls, tls, none"},
		"behind-proxy = \"yes\"\n":                         {"line 1, behind-proxy: This is neither true nor false.", "without quotes"},
		"stop-wait = 10\n":                                 {"line 1, stop-wait: This is no length of time.", `"10s"`},
		"admins = [1]\n":                                   {"line 1, admins: This is no list", `["a", "b"]`},
		"config = \"other\"\n":                             {"line 1, config: A configuration file cannot name another.", "Take the line out"},
		"listen = \"x\"\nlisten = \"y\"\n":                 {"line 2: this is not TOML", "key = "},
		"listen = x\n":                                     {"line 1: this is not TOML", "quotes"},
		"[site]\nname = 3\n":                               {"line 2, site.name: This is no text.", "between quotes"},
		"[site]\nnam = \"x\"\n":                            {"line 2, site.nam: There is no setting", "take the line out"},
		"[site]\nlogo = \"no.svg\"\n":                      {"line 2, site.logo: ", "cannot be read", "SVG or PNG"},
		"[site.colour]\nlight = \"#FFAACC\"":               {"line 2, site.colour.light: The text on it (#FFFFFF) has a contrast of 1.76 : 1", "darker"},
		"[site]\ncolour = { light = \"red\" }":             {`line 2, site.colour.light: "RED" is not a colour.`, "#A21C5B"},
		"[site.mail.code]\ntext = \"\"\"\nHello\n\"\"\"\n": {"line 2, site.mail.code.text: {code} is missing", "no use"},
		"[site.mail.code]\nsubject = \"{cod} for you\"\n":  {"line 2, site.mail.code.subject: This mail has no {cod}.", "{code}"},
	} {
		c := Config{File: write(t, text)}
		err := c.LoadFile(nothingGiven)
		var e *domain.Error
		if !errors.As(err, &e) || e.Code != domain.Invalid {
			t.Errorf("%q: %v", text, err)
			continue
		}
		for _, words := range want {
			if !strings.Contains(e.Message+" "+e.Remedy, words) {
				t.Errorf("%q: %q is not in %q %q", text, words, e.Message, e.Remedy)
			}
		}
		if !strings.Contains(e.Message, "blossomtune.toml") || e.Remedy == "" {
			t.Errorf("%q: no file or no remedy: %q %q", text, e.Message, e.Remedy)
		}
	}
	c := Config{File: write(t, "a = 1\nb = 2\nlisten = 3\n")}
	var all domain.Errors
	if err := c.LoadFile(nothingGiven); !errors.As(err, &all) || len(all) != 3 {
		t.Errorf("not every error is told: %v", err)
	}
}

// What is wrong only together with other settings is told at its line too.
func TestResolveNamesTheLine(t *testing.T) {
	c := Config{Listen: ":1", File: write(t, "\npublic-url = \"ftp://x\"\n")}
	if err := c.LoadFile(nothingGiven); err != nil {
		t.Fatal(err)
	}
	if err := c.Resolve(); err == nil || !strings.Contains(err.Error(), "blossomtune.toml, line 2, public-url: ") {
		t.Error(err)
	}
	c = Config{Listen: ":1", PublicURL: "ftp://x"}
	if err := c.Resolve(); err == nil || !strings.Contains(err.Error(), "--public-url: ") {
		t.Error(err)
	}
}

// What a Hugging Face Space injects is used as it is, where nothing else was configured.
func TestInsideASpace(t *testing.T) {
	space := map[string]string{"SPACE_HOST": "lab-fl.hf.space", "OAUTH_CLIENT_ID": "space-id", "OAUTH_CLIENT_SECRET": "not-a-secret", "OAUTH_SCOPES": "openid profile email read-repos", "OPENID_PROVIDER_URL": "https://huggingface.co/"}
	env := func(name string) string { return space[name] }
	c := Config{Listen: "0.0.0.0:7860"}
	c.InSpace(env)
	if err := c.Resolve(); err != nil {
		t.Fatal(err)
	}
	s := c.SignIn
	if c.PublicURL != "https://lab-fl.hf.space" || !c.BehindProxy || s.HuggingFaceClientID != "space-id" || s.HuggingFaceClientSecret != "not-a-secret" || s.HuggingFaceURL != "https://huggingface.co" ||
		!slices.Equal(s.HuggingFaceScopes, []string{"openid", "profile", "email", "read-repos"}) {
		t.Errorf("%+v", c)
	}
	own := Config{Listen: ":1", PublicURL: "https://fl.example.org", SignIn: SignIn{HuggingFaceClientID: "mine", HuggingFaceURL: "https://hub.example"}}
	own.InSpace(env)
	if own.PublicURL != "https://fl.example.org" || own.BehindProxy || own.SignIn.HuggingFaceClientID != "mine" || own.SignIn.HuggingFaceClientSecret != "" || own.SignIn.HuggingFaceURL != "https://hub.example" {
		t.Errorf("what was configured is overridden: %+v", own)
	}
	delete(space, "SPACE_HOST")
	elsewhere := Config{Listen: ":1"}
	elsewhere.InSpace(env)
	if elsewhere.SignIn.HuggingFaceClientID != "" {
		t.Error("variables of that name are taken outside of a Space")
	}
}

// The example of the documentation is a file that works.
func TestTheDocumentedFileWorks(t *testing.T) {
	doc, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "```toml\n")
	example, _, found := strings.Cut(rest, "```")
	c := Config{File: write(t, example)}
	if err := c.LoadFile(nothingGiven); err != nil || !found {
		t.Fatal(err)
	}
	if err := c.Resolve(); err != nil || len(c.Site) != 7 || c.SignIn.OIDCLabel != "Example University" {
		t.Errorf("%+v, %v", c, err)
	}
}
