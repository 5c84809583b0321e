package catalog

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

func everyFile(string) bool { return true }

// What nests deeper than an app ever does is refused before the decoder spends minutes, or all of the stack, on it.
func TestDeepTOMLIsRefusedAtOnce(t *testing.T) {
	for name, text := range map[string]string{
		"arrays": "a = " + strings.Repeat("[", 1<<20-10), "tables": "a = " + strings.Repeat("{a=", 1<<18), "dotted key": strings.Repeat("a.", 1<<19-10) + "a=1", "header": "[" + strings.Repeat("a.", 1<<19-10) + "a]\nb=1",
		"keys": strings.Repeat("a=1\n", 1<<18),
	} {
		began := time.Now()
		if _, err := readPyproject([]byte(text), everyFile); domain.CodeOf(err) != domain.Invalid || !strings.Contains(err.Error(), "more than") {
			t.Errorf("%s: %.200v", name, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %s", name, took)
		}
	}
	for _, text := range []string{`a = "[[[[[[[[[[[[[[[[[[[[[[[[[" # [[[[[[[[[[[[[[[[[[[[[`, "a = '''\n[[[[[[[[[[[[[[[[[[[[\n'''", "a = [" + strings.Repeat("1.5, ", 100) + "]"} {
		if err := checkTOMLShape(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWhatNoDatabaseHoldsIsCutOrRefused(t *testing.T) {
	with := func(config string) string {
		return strings.Replace(fabProject, "clip = inf", config, 1)
	}
	for config, want := range map[string]string{
		"clip = inf": "", "a.b.c = nan": "", `a = "x\u0000"`: "NUL", `"a\u0000" = 1`: "NUL", "n = 9223372036854775808": "cannot be read", "n = 1e999": "cannot be read", "n = [1]": "a type that Flower does not take",
		"clip = 1.0\n[tool.blossomtune.config.clip]\nmin = nan": "right type", "clip = 1.0\n[tool.blossomtune.config.clip]\nmin = inf": "right type", "clip = 1.0\n[tool.blossomtune.config.clip]\nmin = -inf\nmax = inf\nchoices = [inf, nan, 1]": "",
	} {
		a, err := readPyproject([]byte(with(config)), everyFile)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: want %q, got %v", config, want, err)
		}
		for _, k := range a.Config {
			if _, err := json.Marshal(domain.JSONValue(k.Default)); err != nil {
				t.Errorf("%q: %v", config, err)
			}
		}
	}
	a, err := readPyproject([]byte(strings.Replace(fabProject, "version = ", "description = \""+strings.Repeat("x", 499)+"ü\"\nversion = ", 1)), everyFile)
	if err != nil || a.Summary != strings.Repeat("x", 499) {
		t.Errorf("the summary is %q, %v", a.Summary, err)
	}
	if _, err := readPyproject([]byte(strings.Replace(fabProject, `"tiny"`, `"ti\u0007ny"`, 1)), everyFile); err == nil {
		t.Error("a name with a bell is taken")
	}
}

// FuzzPyproject reads a project file, writes its run config as TOML and reads that again.
func FuzzPyproject(f *testing.F) {
	f.Add(fabProject)
	f.Add(fabProject + "a.b = 1\n\"c.d\" = 'x'\n[tool.blossomtune.config.clip]\nmin = -inf\nhelp = \"h\"\nchoices = [inf, nan]\n[tool.blossomtune.presets.p]\nclip = inf\n")
	f.Add(fabProject + "[tool.flwr.app.config.deep]\nx = true\ny = \"\"\"\na\\u0001\n\"\"\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 16<<10 {
			return
		}
		a, err := readPyproject([]byte(text), everyFile)
		if err != nil {
			if domain.CodeOf(err) != domain.Invalid {
				t.Errorf("an error that is not told: %v", err)
			}
			return
		}
		if !domain.Storable(a.Name+a.Publisher+a.Version+a.Summary) || len(a.Summary) > 500 {
			t.Errorf("%+v cannot be stored", a)
		}
		form, err := ConfigFromTOML(a.Config, ConfigTOML(a.Config, nil))
		if err != nil && len(a.Config) == len(uniqueKeys(a.Config)) {
			for _, k := range a.Config {
				if len(k.Choices) > 0 || k.Min != nil || k.Max != nil {
					return // the default may lie outside of them
				}
			}
			t.Errorf("the defaults do not come back: %v\n%s", err, ConfigTOML(a.Config, nil))
		}
		for _, k := range a.Config {
			if v, err := domain.ParseConfigValue(domain.ConfigKey{Key: k.Key, Kind: k.Kind}, form[k.Key]); form != nil && (err != nil || !domain.SameConfigValue(v, k.Default)) && k.Kind != domain.KindString {
				t.Errorf("%s came back as %v, %v", k.Key, v, err)
			}
		}
	})
}

func uniqueKeys(keys []domain.ConfigKey) map[string]bool {
	out := map[string]bool{}
	for _, k := range keys {
		out[k.Key] = true
	}
	return out
}
