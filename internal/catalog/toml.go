package catalog

import (
	"fmt"
	"regexp"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/tomltext"
)

// maxTOML bounds the text of a run config.
const maxTOML = 128 << 10

// ConfigTOML writes a run config as it would stand under [tool.flwr.app.config]: every key in the app's order, with the default of
// those that differ from it beside them. A text that is no value of its key is written in quotes; [ConfigFromTOML] says so.
func ConfigTOML(schema []domain.ConfigKey, values map[string]string) string {
	var b strings.Builder
	for _, k := range schema {
		text, given := values[k.Key]
		if !given {
			text = domain.ConfigText(k.Default)
		}
		value := tomlValue(k, text)
		b.WriteString(tomlKey(schema, k.Key) + " = " + value)
		if def := tomlValue(k, domain.ConfigText(k.Default)); def != value && !strings.Contains(value+def, "\n") && len(def) <= 80 {
			b.WriteString(" # default " + def)
		}
		b.WriteString("\n")
	}
	return b.String()
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func tomlKey(schema []domain.ConfigKey, key string) string {
	parts := strings.Split(key, ".")
	for _, k := range schema { // a key cannot be a table too
		if strings.HasPrefix(key, k.Key+".") || strings.HasPrefix(k.Key, key+".") {
			parts = []string{key}
		}
	}
	for i, p := range parts {
		if !bareKey.MatchString(p) {
			parts[i] = tomlString(p)
		}
	}
	return strings.Join(parts, ".")
}

func tomlValue(k domain.ConfigKey, text string) string {
	k.Choices, k.Min, k.Max = nil, nil, nil
	v, err := domain.ParseConfigValue(k, text)
	if err != nil {
		return tomlString(text)
	}
	switch v := v.(type) {
	case string:
		return tomlString(v)
	case float64:
		s := domain.FloatText(v)
		if !strings.ContainsAny(s, ".enf") { // inf and nan are numbers as they stand
			s += ".0"
		}
		return s
	}
	return fmt.Sprint(v)
}

// tomlString quotes a text: over several lines where it has them.
func tomlString(s string) string {
	lines := strings.Contains(s, "\n")
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' && lines:
			b.WriteRune(r)
		case r == '\\' || r == '"':
			b.WriteString(`\` + string(r))
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	if lines {
		return `"""` + "\n" + b.String() + `"""`
	}
	return `"` + b.String() + `"`
}

// ConfigFromTOML reads a run config as the text of each key's value, which [domain.ParseConfig] takes. Keys left out are left out; the
// text may begin with [tool.flwr.app.config]. Every mistake is in the returned [domain.Errors], at field "toml.<line>".
func ConfigFromTOML(schema []domain.ConfigKey, text string) (map[string]string, error) {
	if len(text) > maxTOML {
		return nil, domain.Errorf(domain.Invalid, "The text is larger than %d kB.", maxTOML>>10).At("toml.0")
	}
	text = strings.TrimPrefix(text, "\ufeff") // some editors begin a file with a byte order mark
	var tree map[string]any
	if err := decodeTOML([]byte(text), &tree); err != nil {
		line, cause := tomltext.Fault(err)
		if line > 0 {
			return nil, atLine(line, "%s", domain.FirstUpper(cause)+".").Because(err)
		}
		return nil, atLine(0, "This is no TOML: %s.", trimDot(firstMessage(err))).Because(err)
	}
	lines := tomltext.Lines([]byte(text))
	const header = "tool.flwr.app.config"
	if sub := find(tree, header); sub != nil {
		tree = sub
		for key, line := range lines {
			if short, ok := strings.CutPrefix(key, header+"."); ok {
				lines[short] = line
			}
		}
	}
	flat := map[string]any{}
	flatten("", tree, flat)
	out := map[string]string{}
	var errs domain.Errors
	for _, k := range schema {
		v, given := flat[k.Key]
		if !given {
			continue
		}
		delete(flat, k.Key)
		if err := checkTOML(k, v); err != nil {
			errs = append(errs, atLine(tomltext.LineOf(lines, k.Key), "%s", err.Message).Fix("%s", err.Remedy))
			continue
		}
		out[k.Key] = domain.ConfigText(v)
	}
	for key := range flat {
		errs = append(errs, atLine(tomltext.LineOf(lines, key), "This app has no config key %q.", key).
			Fix("Remove it, or choose an app version that has it."))
	}
	if err := errs.OrNil(); err != nil {
		return nil, err
	}
	return out, nil
}

// checkTOML holds a value to its key's type, choices and range.
func checkTOML(k domain.ConfigKey, v any) *domain.Error {
	_, isText := v.(string)
	_, isBool := v.(bool)
	_, isInt := v.(int64)
	_, isFloat := v.(float64)
	switch {
	case !isText && !isBool && !isInt && !isFloat:
		return invalid("%s is of a type that Flower does not take.", k.Key).Fix("Use a string, a whole number, a number, true or false.")
	case k.Kind == domain.KindString && !isText:
		return invalid("%s is text.", k.Key).Fix("Write it in quotes.")
	case k.Kind == domain.KindBool && !isBool:
		return invalid("%s is true or false.", k.Key).Fix("Write it without quotes.")
	case (k.Kind == domain.KindInt || k.Kind == domain.KindFloat) && !isInt && !isFloat:
		return invalid("%s is a number.", k.Key).Fix("Write it without quotes.")
	}
	_, err := domain.ParseConfigValue(k, domain.ConfigText(v))
	if es := (domain.Errors{}).With(err); len(es) > 0 {
		return es[0]
	}
	return nil
}

func atLine(line int, format string, args ...any) *domain.Error {
	e := domain.Errorf(domain.Invalid, format, args...).At(fmt.Sprintf("toml.%d", line))
	if line > 0 {
		e.Message = fmt.Sprintf("Line %d: ", line) + e.Message
	}
	return e
}
