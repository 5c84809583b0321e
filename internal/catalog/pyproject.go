package catalog

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"blossomtune/internal/domain"
	"blossomtune/internal/tomltext"
)

// pyproject is what is read of an app's pyproject.toml. The tool.blossomtune table is ours; Flower ignores it.
type pyproject struct {
	Project struct {
		Name         string `toml:"name"`
		Version      string `toml:"version"`
		Description  string `toml:"description"`
		Dependencies any    `toml:"dependencies"`
	} `toml:"project"`
	Tool struct {
		Flwr struct {
			App struct {
				Publisher  string         `toml:"publisher"`
				Components map[string]any `toml:"components"`
				Config     map[string]any `toml:"config"`
			} `toml:"app"`
		} `toml:"flwr"`
		BlossomTune struct {
			Config  map[string]any            `toml:"config"`
			Presets map[string]map[string]any `toml:"presets"`
		} `toml:"blossomtune"`
	} `toml:"tool"`
}

const maxPyproject = 1 << 20

// readPyproject reads an app's name, version, config schema and presets. has tells whether the app has a file or, with a slash at the end,
// a folder.
func readPyproject(text []byte, has func(name string) bool) (domain.AppVersion, error) {
	if fault := domain.EncodingFault(text); fault != "" {
		return domain.AppVersion{}, invalid("pyproject.toml %s; Flower cannot read it.", fault).Fix("Save it as UTF-8 without a byte order mark.")
	}
	var p pyproject
	if err := decodeTOML(text, &p); err != nil {
		cause := trimDot(firstMessage(err))
		if line, c := tomltext.Fault(err); line > 0 {
			cause = fmt.Sprintf("line %d: %s", line, c)
		}
		return domain.AppVersion{}, invalid("pyproject.toml cannot be read: %s.", cause).Because(err)
	}
	app := p.Tool.Flwr.App
	for _, need := range [][2]string{{"project.name", p.Project.Name}, {"project.version", p.Project.Version},
		{"tool.flwr.app.publisher", app.Publisher}} {
		if need[1] == "" {
			return domain.AppVersion{}, invalid("pyproject.toml lacks %s.", need[0])
		}
		if len(need[1]) > 200 || strings.ContainsAny(need[1], `/\?#%`) || strings.ContainsFunc(need[1], unicode.IsControl) {
			return domain.AppVersion{}, invalid("pyproject.toml has a %s that cannot be one.", need[0])
		}
	}
	for _, part := range []string{"serverapp", "clientapp"} {
		if err := checkComponent(part, app.Components[part], p.Project.Dependencies, has); err != nil {
			return domain.AppVersion{}, err
		}
	}
	a := domain.AppVersion{Publisher: app.Publisher, Name: p.Project.Name, Version: p.Project.Version,
		Summary: domain.Cut(p.Project.Description, 500)}
	var err error
	if a.Config, err = schema(app.Config, p.Tool.BlossomTune.Config, configOrder(text)); err != nil {
		return a, err
	}
	a.Presets, err = ownPresets(a.Config, p.Tool.BlossomTune.Presets)
	return a, err
}

// checkComponent holds a component to the form module:attribute. Its module must be in the app, unless it is one of another package
// that a dependency may bring.
func checkComponent(part string, v, dependencies any, has func(string) bool) error {
	s, ok := v.(string)
	if !ok || s == "" {
		return invalid("pyproject.toml names no %s under [tool.flwr.app.components].", part)
	}
	module, attr, ok := strings.Cut(s, ":")
	if !ok || module == "" || attr == "" {
		return invalid("The %s %q is not like package.module:app.", part, s)
	}
	file := strings.ReplaceAll(module, ".", "/")
	top, _, _ := strings.Cut(file, "/")
	if has(file+".py") || has(file+"/__init__.py") || !has(top+"/") && (top == "flwr" || mayBring(dependencies)) {
		return nil
	}
	return invalid("The %s is %s, but %s.py is not in the app.", part, s, file).
		Fix("Correct [tool.flwr.app.components]; or, if the file is in the app's folder, change .gitignore or fab-include so that " +
			"Flower takes it.")
}

// mayBring reports whether one of an app's dependencies, other than Flower itself, may contain the app's code.
func mayBring(dependencies any) bool {
	list, ok := dependencies.([]any)
	if !ok {
		return dependencies != nil
	}
	for _, d := range list {
		s, _ := d.(string)
		if name := strings.ToLower(distribution.FindString(strings.TrimSpace(s))); name != "flwr" {
			return true
		}
	}
	return false
}

var distribution = regexp.MustCompile(`^[A-Za-z0-9._-]+`)

// configOrder returns the run config's keys in the order of the file: that is how its author thinks of them.
func configOrder(text []byte) map[string]int {
	order := map[string]int{}
	for i, k := range tomltext.Keys(text) {
		if name, ok := strings.CutPrefix(k.Name(), "tool.flwr.app.config."); ok {
			order[name] = i
		}
	}
	return order
}

const maxKeys = 500

func schema(config, hints map[string]any, order map[string]int) ([]domain.ConfigKey, error) {
	flat := map[string]any{}
	flatten("", config, flat)
	if len(flat) > maxKeys {
		return nil, invalid("[tool.flwr.app.config] has more than %d keys.", maxKeys)
	}
	keys := slices.SortedFunc(maps.Keys(flat), func(a, b string) int { return order[a] - order[b] })
	out := make([]domain.ConfigKey, 0, len(keys))
	for _, key := range keys {
		h, err := hintOf(hints, key)
		if err != nil {
			return nil, err
		}
		k, err := configKey(key, flat[key], h)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

func flatten(prefix string, in, out map[string]any) {
	for k, v := range in {
		if sub, ok := v.(map[string]any); ok {
			flatten(prefix+k+".", sub, out)
			continue
		}
		out[prefix+k] = v
	}
}

func configKey(key string, def any, h hint) (domain.ConfigKey, error) {
	if text, _ := def.(string); !domain.Storable(key) || !domain.Storable(text) {
		return domain.ConfigKey{}, invalid("The run config key %q has a NUL character in its name or default.", key).Fix("Remove the character.")
	}
	kinds := map[string]domain.ConfigKind{"string": domain.KindString, "int64": domain.KindInt, "float64": domain.KindFloat,
		"bool": domain.KindBool}
	kind, ok := kinds[fmt.Sprintf("%T", def)]
	if !ok {
		return domain.ConfigKey{}, invalid("The run config key %s is of a type that Flower does not take.", key).
			Fix("Use a string, a whole number, a number, true or false.")
	}
	for i, c := range h.Choices {
		if n, isInt := c.(int64); isInt && kind == domain.KindFloat {
			h.Choices[i] = float64(n)
		}
		if kinds[fmt.Sprintf("%T", h.Choices[i])] != kind {
			return domain.ConfigKey{}, invalid("A choice of %s in [tool.blossomtune.config] has another type than its default.", key)
		}
	}
	return domain.ConfigKey{Key: key, Kind: kind, Default: def, Help: h.Help, Long: h.Long, Choices: h.Choices, Min: h.Min, Max: h.Max}, nil
}
