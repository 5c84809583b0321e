package catalog

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"

	"blossomtune/internal/domain"

	"github.com/BurntSushi/toml"
)

// pyproject is what is read of an app's pyproject.toml. The tool.blossomtune table is ours; Flower ignores it.
type pyproject struct {
	Project struct {
		Name        string `toml:"name"`
		Version     string `toml:"version"`
		Description string `toml:"description"`
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
			Config map[string]hint `toml:"config"`
		} `toml:"blossomtune"`
	} `toml:"tool"`
}

// hint is what [tool.blossomtune.config.<key>] may say about a key of the run config.
type hint struct {
	Help    string   `toml:"help"`
	Choices []any    `toml:"choices"`
	Min     *float64 `toml:"min"`
	Max     *float64 `toml:"max"`
}

const maxPyproject = 1 << 20

// readFAB reads an app's name, version and config schema from its FAB.
func readFAB(fab []byte) (domain.AppVersion, error) {
	z, err := openZip(fab)
	if err != nil {
		return domain.AppVersion{}, err
	}
	text, err := readMember(z, "pyproject.toml", maxPyproject)
	if err != nil {
		return domain.AppVersion{}, err
	}
	return readPyproject(text)
}

func openZip(body []byte) (*zip.Reader, error) {
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil || !hasZipMagic(body) {
		return nil, invalid("This is neither a FAB nor a zip of an app's folder.").Fix("Upload what `flwr build` writes, or a zip of the folder with pyproject.toml.").Because(err)
	}
	return z, nil
}

func readMember(z *zip.Reader, name string, most int64) ([]byte, error) {
	f, err := z.Open(name)
	if err != nil {
		return nil, invalid("There is no %s in it.", name).Fix("An app's folder has a pyproject.toml at its top.").Because(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil || int64(len(b)) > most {
		return nil, invalid("%s cannot be read, or is larger than %d kB.", name, most>>10).Because(err)
	}
	return b, nil
}

func readPyproject(text []byte) (domain.AppVersion, error) {
	var p pyproject
	meta, err := toml.Decode(string(text), &p)
	if err != nil {
		return domain.AppVersion{}, invalid("pyproject.toml cannot be read: %s.", trimDot(err.Error())).Because(err)
	}
	app := p.Tool.Flwr.App
	for what, v := range map[string]string{"project.name": p.Project.Name, "project.version": p.Project.Version, "tool.flwr.app.publisher": app.Publisher} {
		if v == "" || len(v) > 200 {
			return domain.AppVersion{}, invalid("pyproject.toml lacks %s.", what)
		}
	}
	if app.Components["serverapp"] == nil || app.Components["clientapp"] == nil {
		return domain.AppVersion{}, invalid("pyproject.toml names no serverapp and clientapp under [tool.flwr.app.components].")
	}
	a := domain.AppVersion{Publisher: app.Publisher, Name: p.Project.Name, Version: p.Project.Version, Summary: p.Project.Description[:min(len(p.Project.Description), 500)]}
	a.Config, err = schema(app.Config, p.Tool.BlossomTune.Config, configOrder(meta))
	return a, err
}

// configOrder returns the run config's keys in the order of the file: that is how its author thinks of them.
func configOrder(meta toml.MetaData) map[string]int {
	order := map[string]int{}
	for i, k := range meta.Keys() {
		if len(k) > 4 && k[0] == "tool" && k[1] == "flwr" && k[2] == "app" && k[3] == "config" {
			order[dotted(k[4:])] = i
		}
	}
	return order
}

func dotted(parts []string) string {
	s := parts[0]
	for _, p := range parts[1:] {
		s += "." + p
	}
	return s
}

const maxKeys = 500

func schema(config map[string]any, hints map[string]hint, order map[string]int) ([]domain.ConfigKey, error) {
	flat := map[string]any{}
	flatten("", config, flat)
	if len(flat) > maxKeys {
		return nil, invalid("[tool.flwr.app.config] has more than %d keys.", maxKeys)
	}
	keys := slices.SortedFunc(maps.Keys(flat), func(a, b string) int { return order[a] - order[b] })
	out := make([]domain.ConfigKey, 0, len(keys))
	for _, key := range keys {
		k, err := configKey(key, flat[key], hints[key])
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
	kinds := map[string]domain.ConfigKind{"string": domain.KindString, "int64": domain.KindInt, "float64": domain.KindFloat, "bool": domain.KindBool}
	kind, ok := kinds[fmt.Sprintf("%T", def)]
	if !ok {
		return domain.ConfigKey{}, invalid("The run config key %s is of a type that Flower does not take.", key).Fix("Use a string, a whole number, a number, true or false.")
	}
	for i, c := range h.Choices {
		if n, isInt := c.(int64); isInt && kind == domain.KindFloat {
			h.Choices[i] = float64(n)
		}
		if kinds[fmt.Sprintf("%T", h.Choices[i])] != kind {
			return domain.ConfigKey{}, invalid("A choice of %s in [tool.blossomtune.config] has another type than its default.", key)
		}
	}
	return domain.ConfigKey{Key: key, Kind: kind, Default: def, Help: h.Help, Choices: h.Choices, Min: h.Min, Max: h.Max}, nil
}
