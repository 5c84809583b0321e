package launch

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"blossomtune/internal/catalog"
	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// configForm is how the run config is shown: which tab, its TOML, and the presets it can take.
type configForm struct {
	tab     string // "form", "changed" or "toml": the open one is what counts
	toml    string
	presets []domain.Preset
	preset  string   // the one that was taken
	lacks   []string // keys of it that the app version has not
}

// configInput reads the run config of a form as text by key: from its fields or, where that tab is open, from its TOML, whose
// mistakes are errors at "toml.<line>".
func (s *Pages) configInput(ctx context.Context, f url.Values) (map[string]string, error) {
	if f.Get("config_as") == "toml" {
		a, err := s.chosenApp(ctx, f)
		if err != nil {
			return nil, err
		}
		return catalog.ConfigFromTOML(a.Config, f.Get("toml"))
	}
	out := map[string]string{}
	for field, values := range f {
		if key, ok := strings.CutPrefix(field, "config."); ok && len(values) > 0 {
			out[key] = strings.ReplaceAll(values[0], "\r\n", "\n") // a browser sends the lines of a text so
		}
	}
	return out, nil
}

// chosenApp is the app version that a form names; none is an error at its field.
func (s *Pages) chosenApp(ctx context.Context, f url.Values) (domain.AppVersion, error) {
	a, err := s.Catalog.Get(ctx, f.Get("app"))
	if domain.CodeOf(err) == domain.NotFound {
		err = domain.Errorf(domain.Invalid, "There is no such app version.").Fix("Choose one of the listed apps.").At("app")
	}
	return a, err
}

// tabs makes the tabs of a form from its values, and from what was sent if it was.
func (s *Pages) tabs(ctx context.Context, l *launchForm, f url.Values) error {
	l.conf.tab, l.conf.toml = f.Get("config_as"), f.Get("toml")
	if l.conf.tab != "toml" {
		l.conf.toml = catalog.ConfigTOML(l.app.Config, l.config)
	}
	var err error
	l.conf.presets, err = s.Catalog.Presets(ctx, l.app)
	return err
}

// take fills in a preset: what it does not name is at its default.
func (l *launchForm) take(name string) {
	i := slices.IndexFunc(l.conf.presets, func(p domain.Preset) bool { return p.Name == name })
	if i < 0 {
		return
	}
	p := l.conf.presets[i]
	l.conf.preset, l.conf.lacks = name, nil
	known := map[string]bool{}
	for _, k := range l.app.Config {
		known[k.Key] = true
		l.config[k.Key] = domain.ConfigText(k.Default)
		if text, given := p.Config[k.Key]; given {
			l.config[k.Key] = text
		}
	}
	for key := range p.Config {
		if !known[key] {
			l.conf.lacks = append(l.conf.lacks, key)
		}
	}
	slices.Sort(l.conf.lacks)
	l.conf.toml = catalog.ConfigTOML(l.app.Config, l.config)
}

// changedWords counts what differs from the defaults.
func (l *launchForm) changedWords() string {
	n := 0
	for _, k := range l.app.Config {
		if l.config[k.Key] != domain.ConfigText(k.Default) {
			n++
		}
	}
	return ui.Itoa(n) + " of " + ui.Itoa(len(l.app.Config)) + " changed"
}

// tomlErrors are the mistakes of the TOML text in the order of its lines.
func (l *launchForm) tomlErrors() []ui.Problem {
	var out []ui.Problem
	for field, p := range l.errs {
		if strings.HasPrefix(field, "toml.") {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b ui.Problem) int { return lineNumber(a) - lineNumber(b) })
	return out
}

func lineNumber(p ui.Problem) int {
	n := 0
	for _, c := range strings.TrimPrefix(p.Field, "toml.") {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// configAnswer keeps form and TOML in step: either one as the other, or what is wrong with it.
type configAnswer struct {
	TOML   string            `json:"toml"`
	Values map[string]string `json:"values"` // of every key
	Errors []configProblem   `json:"errors"`
}

type configProblem struct {
	Line    int    `json:"line"` // 0 where it has none
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}

// StepConfig turns the form's fields into TOML, or its TOML into fields.
func (s *Pages) StepConfig(w http.ResponseWriter, r *http.Request, _ *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	a, err := s.chosenApp(r.Context(), r.PostForm)
	if err != nil {
		return err
	}
	values, err := s.configInput(r.Context(), r.PostForm)
	out := configAnswer{Values: map[string]string{}, Errors: []configProblem{}}
	if err == nil {
		for _, k := range a.Config {
			out.Values[k.Key] = domain.ConfigText(k.Default)
			if text, given := values[k.Key]; given {
				out.Values[k.Key] = text
			}
		}
		out.TOML = catalog.ConfigTOML(a.Config, values)
		_, err = catalog.ConfigFromTOML(a.Config, out.TOML) // a field may hold what is no value of its key
	}
	var several domain.Errors
	var one *domain.Error
	switch {
	case err == nil:
	case errors.As(err, &several), errors.As(err, &one):
		for _, p := range visit.Problems(err) {
			out.Errors = append(out.Errors, configProblem{lineNumber(p), p.Message, p.Remedy})
		}
		slices.SortStableFunc(out.Errors, func(a, b configProblem) int { return a.Line - b.Line })
	default:
		return err
	}
	return visit.WriteJSON(w, r, out)
}

// presetAnswer is a preset as the form's script takes it.
type presetAnswer struct {
	Name   string            `json:"name"`
	Config map[string]string `json:"config"`
}

// SavePreset keeps the form's run config under a name.
func (s *Pages) SavePreset(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	a, err := s.chosenApp(r.Context(), r.PostForm)
	if err != nil {
		return err
	}
	values, err := s.configInput(r.Context(), r.PostForm)
	if err != nil {
		return err
	}
	p, err := s.Catalog.SavePreset(r.Context(), v.Actor(), a, strings.TrimSpace(r.PostForm.Get("preset")), values)
	if err != nil {
		return err
	}
	return visit.WriteJSON(w, r, presetAnswer{p.Name, p.Config})
}

// DropPreset deletes a saved preset.
func (s *Pages) DropPreset(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	a, err := s.chosenApp(r.Context(), r.PostForm)
	if err != nil {
		return err
	}
	if err := s.Catalog.DropPreset(r.Context(), v.Actor(), a.ID(), r.PostForm.Get("preset")); err != nil {
		return err
	}
	return visit.WriteJSON(w, r, presetAnswer{Name: r.PostForm.Get("preset")})
}

// presetValues is a preset for the script: every key of the app with its value.
func presetValues(l launchForm, p domain.Preset) string {
	out := map[string]string{}
	for _, k := range l.app.Config {
		if text, given := p.Config[k.Key]; given {
			out[k.Key] = text
		}
	}
	text, _ := json.Marshal(out) // a map of strings
	return string(text)
}
