package catalog

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"blossomtune/internal/domain"
)

var tomlSchema = []domain.ConfigKey{{Key: "rounds", Kind: domain.KindInt, Default: int64(3)}, {Key: "lr", Kind: domain.KindFloat, Default: 0.5, Max: new(1.0)},
	{Key: "mode", Kind: domain.KindString, Default: "fast", Choices: []any{"fast", "good"}}, {Key: "flag", Kind: domain.KindBool, Default: true}, {Key: "model.size", Kind: domain.KindInt, Default: int64(8)},
	{Key: "prompt", Kind: domain.KindString, Default: "one\ntwo"}, {Key: "odd key.x", Kind: domain.KindString, Default: ""}}

// Whatever a form holds comes back from its TOML as it was.
func TestTheFormAndItsTOMLAreOne(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	hard := []rune("a \"\\'\n\t#=[]{}.,\u00e9\u4e16\x1b\x7f")
	for range 5000 {
		text := ""
		for range r.IntN(12) {
			text += string(hard[r.IntN(len(hard))])
		}
		in := map[string]string{"rounds": fmt.Sprint(r.Int64()), "lr": domain.ConfigText(r.Float64() * 1e-9), "mode": "good", "flag": "false", "model.size": fmt.Sprint(-r.IntN(99)), "prompt": text, "odd key.x": text}
		written := ConfigTOML(tomlSchema, in)
		out, err := ConfigFromTOML(tomlSchema, written)
		if err != nil || !maps.Equal(in, out) {
			t.Fatalf("%q\n%s\n%q %v", in, written, out, err)
		}
	}
}

// An app may take infinities and nan, as TOML and Flower do; they come back from a form as they were.
func TestInfinitiesAndNaNComeBack(t *testing.T) {
	schema := []domain.ConfigKey{{Key: "clip", Kind: domain.KindFloat, Default: math.Inf(1)}, {Key: "low", Kind: domain.KindFloat, Default: math.Inf(-1)}, {Key: "odd", Kind: domain.KindFloat, Default: math.NaN()}}
	written := ConfigTOML(schema, nil)
	if want := "clip = inf\nlow = -inf\nodd = nan\n"; written != want {
		t.Errorf("written as %q", written)
	}
	form, err := ConfigFromTOML(schema, written)
	if err != nil {
		t.Fatal(err)
	}
	if config, err := domain.ParseConfig(schema, form); err != nil || len(config) != 0 {
		t.Errorf("the defaults came back as %v, %v", config, err)
	}
	config, err := domain.ParseConfig(schema, map[string]string{"clip": "nan", "low": "inf", "odd": "1.0"})
	if err != nil || len(config) != 3 {
		t.Errorf("changed values: %v, %v", config, err)
	}
}

func TestTOMLMarksWhatDiffersFromTheDefault(t *testing.T) {
	got := ConfigTOML(tomlSchema, map[string]string{"lr": "0.25", "rounds": "3"})
	want := "rounds = 3\nlr = 0.25 # default 0.5\nmode = \"fast\"\nflag = true\nmodel.size = 8\nprompt = \"\"\"\none\ntwo\"\"\"\n\"odd key\".x = \"\"\n"
	if got != want {
		t.Errorf("%s", got)
	}
}

func TestAMistakeInTOMLIsToldAtItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"rounds = 3\nlr = = 2": "Line 2: ",
		"\n\nlr = \"a lot\"":   "Line 3: lr is a number. Write it without quotes.",
		"rounds = 1\nlr = 7":   "Line 2: lr is at most 1, not 7.",
		"# a\nmode = \"slow\"": "Line 2: mode is one of fast, good, not slow.",
		"mode = 3":             "Line 1: mode is text. Write it in quotes.",
		"flag = 1":             "Line 1: flag is true or false.",
		"rounds = 1.5":         "Line 1: rounds is a whole number",
		"prompt = '''\nrounds = 9\n'''\nnothing = 1":                 `Line 4: This app has no config key "nothing".`,
		"[model]\nsize = \"big\"":                                    "Line 2: model.size is a number.",
		"model = {size = \"big\"}":                                   "Line 1: model.size is a number.",
		"\"odd key\".x = 3":                                          "Line 1: odd key.x is text.",
		"rounds = [1]":                                               "Line 1: rounds is of a type that Flower does not take.",
		"rounds = 1\nrounds = 2":                                     "Line 2: ",
		"lr = nan":                                                   "Line 1: lr is at most 1, not nan.",
		"[tool.flwr.app.config]\nrounds = 1\nlr = 9":                 "Line 3: lr is at most 1, not 9.",
		"[tool.flwr.app.config.model]\n\nsize = true":                "Line 3: model.size is a number.",
		strings.Repeat("#", 129<<10):                                 "larger than 128 kB",
		"rounds = 1979-05-27":                                        "Line 1: rounds is of a type",
		"prompt = \"\"\"a\"\"\"\nmode = \"\"\"x\ny\"\"\"\nflag=\"\"": "Line 4: flag is true or false.",
	} {
		_, err := ConfigFromTOML(tomlSchema, text)
		found := false
		for _, e := range (domain.Errors{}).With(err) {
			found = found || strings.HasPrefix(e.Message+" "+e.Remedy, want) || strings.Contains(e.Message, "larger") && strings.Contains(e.Message, want)
		}
		if !found {
			t.Errorf("%q: %v, want %s", text[:min(len(text), 60)], err, want)
		}
	}
	if out, err := ConfigFromTOML(tomlSchema, "[tool.flwr.app.config]\nrounds = 7\nmodel.size = 1\n"); err != nil || len(out) != 2 || out["rounds"] != "7" || out["model.size"] != "1" {
		t.Errorf("what stands in a pyproject.toml: %v %v", out, err)
	}
}

// FuzzConfigFromTOML reads any text as a run config: what is accepted comes back from its own TOML, and each mistake names its line.
func FuzzConfigFromTOML(f *testing.F) {
	f.Add(ConfigTOML(tomlSchema, nil))
	f.Add("[tool.flwr.app.config]\nrounds = 1\nmodel = {size = 2}\n")
	f.Add("rounds = \"x\"\nmode = 'slow'\n[model]\nsize = inf\n\"odd key\".x = '''\n'''\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 16<<10 {
			return
		}
		form, err := ConfigFromTOML(tomlSchema, text)
		if err != nil {
			for _, e := range (domain.Errors{}).With(err) {
				var line int
				if _, err := fmt.Sscanf(e.Field, "toml.%d", &line); err != nil || e.Code != domain.Invalid || line < 0 || line > strings.Count(text, "\n")+1 {
					t.Errorf("%s at %q", e.Code, e.Field)
				}
			}
			return
		}
		again, err := ConfigFromTOML(tomlSchema, ConfigTOML(tomlSchema, form))
		if err != nil {
			t.Fatalf("%q becomes %v", form, err)
		}
		for key, text := range form {
			if again[key] != text {
				t.Errorf("%s: %q comes back as %q", key, text, again[key])
			}
		}
	})
}

// Some editors begin a file with a byte order mark.
func TestAByteOrderMarkBeforeTheTOMLIsPassedOver(t *testing.T) {
	if got, err := ConfigFromTOML(tomlSchema, "\ufeffrounds = 3\n"); err != nil || got["rounds"] != "3" {
		t.Errorf("%v, %v", got, err)
	}
	_, err := ConfigFromTOML(tomlSchema, "\ufeffrounds = 3\nlr = = 2")
	if es := (domain.Errors{}).With(err); len(es) != 1 || !strings.HasPrefix(es[0].Message, "Line 2: ") {
		t.Errorf("%v", err)
	}
}
