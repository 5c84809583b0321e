package domain

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// maxConfigText bounds a text of the run config.
const maxConfigText = 16 << 10

// ConfigText is a run-config value as a form shows it; [ParseConfigValue] reads it back.
func ConfigText(v any) string {
	if f, ok := v.(float64); ok {
		return FloatText(f)
	}
	return fmt.Sprint(v)
}

// FloatText writes a number as TOML and Python do; the infinities and NaN are inf, -inf and nan.
func FloatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// JSONValue is a run-config value as JSON can hold it: inf, -inf and nan become texts.
func JSONValue(v any) any {
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return FloatText(f)
	}
	return v
}

// JSONConfig is a run config of [JSONValue]s.
func JSONConfig(config map[string]any) map[string]any {
	out := make(map[string]any, len(config))
	for k, v := range config {
		out[k] = JSONValue(v)
	}
	return out
}

// SameConfigValue reports whether two values are the same; nan is the same as nan.
func SameConfigValue(a, b any) bool {
	f, isFloat := a.(float64)
	g, alsoFloat := b.(float64)
	return a == b || isFloat && alsoFloat && math.IsNaN(f) && math.IsNaN(g)
}

// ParseConfigValue reads a form's text as a value of the key's kind, within its choices and range.
// It returns an [Invalid] error at field "config.<key>".
func ParseConfigValue(k ConfigKey, text string) (any, error) {
	fail := func(format string, args ...any) (any, error) {
		return nil, Errorf(Invalid, format, args...).At("config." + k.Key)
	}
	var v any
	switch k.Kind {
	case KindString:
		if len(text) > maxConfigText {
			return fail("%s is longer than %d bytes.", k.Key, maxConfigText)
		}
		if err := CheckText("config."+k.Key, text); err != nil {
			return nil, err
		}
		v = strings.ReplaceAll(text, "\r\n", "\n") // a browser sends the lines of a text field so
	case KindBool:
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "true", "on", "1", "yes":
			v = true
		case "false", "off", "0", "no", "":
			v = false
		default:
			return fail("%s is true or false, not %q.", k.Key, text)
		}
	case KindInt:
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return fail("%s is a whole number, not %q.", k.Key, text)
		}
		v = n
	case KindFloat:
		f, err := strconv.ParseFloat(strings.TrimSpace(text), 64) // also inf and nan, which Flower passes to the app
		if err != nil {
			return fail("%s is a number, not %q.", k.Key, text)
		}
		v = f
	default:
		return fail("%s has the unknown kind %q.", k.Key, k.Kind)
	}
	return v, checkConfigValue(k, v)
}

func checkConfigValue(k ConfigKey, v any) error {
	if len(k.Choices) > 0 {
		words := make([]string, len(k.Choices))
		for i, c := range k.Choices {
			if SameConfigValue(c, v) {
				return nil
			}
			words[i] = ConfigText(c)
		}
		return Errorf(Invalid, "%s is one of %s, not %s.", k.Key, strings.Join(words, ", "), ConfigText(v)).At("config." + k.Key)
	}
	var f float64
	switch n := v.(type) {
	case int64:
		f = float64(n)
	case float64:
		f = n
	default:
		return nil
	}
	if k.Min != nil && !(f >= *k.Min) { // nan lies in no range
		return Errorf(Invalid, "%s is at least %v, not %s.", k.Key, *k.Min, ConfigText(v)).At("config." + k.Key)
	}
	if k.Max != nil && !(f <= *k.Max) {
		return Errorf(Invalid, "%s is at most %v, not %s.", k.Key, *k.Max, ConfigText(v)).At("config." + k.Key)
	}
	return nil
}

// ParseConfig reads a whole form, keyed by config key, against an app's schema and returns only the values that differ from the defaults.
// Every wrong value and every unknown key has its own error in the returned [Errors].
func ParseConfig(schema []ConfigKey, form map[string]string) (map[string]any, error) {
	out := map[string]any{}
	var errs Errors
	known := map[string]bool{}
	for _, k := range schema {
		known[k.Key] = true
		text, given := form[k.Key]
		if !given {
			continue
		}
		v, err := ParseConfigValue(k, text)
		if err != nil {
			errs = errs.With(err)
			continue
		}
		if !SameConfigValue(v, k.Default) {
			out[k.Key] = v
		}
	}
	for key := range form {
		if !known[key] {
			errs = append(errs, Errorf(Invalid, "This app has no config key %q.", key).Fix("Remove it, or choose an app version that has it.").
				At("config."+key))
		}
	}
	return out, errs.OrNil()
}
