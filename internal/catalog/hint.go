package catalog

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"blossomtune/internal/domain"
)

// hint is what [tool.blossomtune.config.<key>] may say about a key of the run config.
type hint struct {
	Help    string
	Long    bool
	Choices []any
	Min     *float64
	Max     *float64
}

const maxHelp = 500

// hintOf finds what is said of a key, whose dots may stand in a quoted name or be tables of their own.
func hintOf(hints map[string]any, key string) (hint, error) {
	table := find(hints, key)
	var h hint
	bad := func(what string) (hint, error) {
		return h, invalid("%s of %s in [tool.blossomtune.config] is not of the right type.", what, key)
	}
	if v, given := table["help"]; given {
		text, ok := v.(string)
		if !ok || len(text) > maxHelp {
			return bad("help")
		}
		h.Help = text
	}
	if v, given := table["long"]; given {
		var ok bool
		if h.Long, ok = v.(bool); !ok {
			return bad("long")
		}
	}
	if v, given := table["choices"]; given {
		var ok bool
		if h.Choices, ok = v.([]any); !ok || len(h.Choices) > 100 {
			return bad("choices")
		}
	}
	for name, into := range map[string]**float64{"min": &h.Min, "max": &h.Max} {
		switch v := table[name].(type) {
		case nil:
		case int64:
			f := float64(v)
			*into = &f
		case float64:
			switch {
			case math.IsInf(v, -1) && name == "min", math.IsInf(v, 1) && name == "max": // no limit
			case math.IsNaN(v), math.IsInf(v, 0):
				return bad(name)
			default:
				*into = &v
			}
		default:
			return bad(name)
		}
	}
	return h, nil
}

// find follows a dotted key through tables.
func find(table map[string]any, key string) map[string]any {
	if sub, ok := table[key].(map[string]any); ok {
		return sub
	}
	for i := range key {
		if key[i] != '.' {
			continue
		}
		if sub, ok := table[key[:i]].(map[string]any); ok {
			if found := find(sub, key[i+1:]); found != nil {
				return found
			}
		}
	}
	return nil
}

const maxPresets = 50

// ownPresets reads [tool.blossomtune.presets.<name>]: each a table of values as in the run config.
func ownPresets(schema []domain.ConfigKey, tables map[string]map[string]any) ([]domain.Preset, error) {
	if len(tables) > maxPresets {
		return nil, invalid("[tool.blossomtune.presets] has more than %d presets.", maxPresets)
	}
	var out []domain.Preset
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		if err := checkPresetName(name); err != nil {
			return nil, invalid("[tool.blossomtune.presets] has the unusable name %q.", name)
		}
		flat := map[string]any{}
		flatten("", tables[name], flat)
		p := domain.Preset{Name: name, Config: map[string]string{}}
		for key, v := range flat {
			p.Config[key] = domain.ConfigText(v)
		}
		if _, err := domain.ParseConfig(schema, p.Config); err != nil {
			return nil, invalid("The preset %s does not fit [tool.flwr.app.config]: %s", name, firstMessage(err)).Because(err)
		}
		out = append(out, p)
	}
	return out, nil
}

func checkPresetName(name string) error {
	if name == "" || len(name) > 60 || strings.TrimSpace(name) != name ||
		strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return domain.Errorf(domain.Invalid, "A preset's name has 1 to 60 bytes on one line.").At("name")
	}
	return nil
}

func firstMessage(err error) string {
	if es := (domain.Errors{}).With(err); len(es) > 0 {
		return es[0].Message
	}
	return fmt.Sprint(err)
}
