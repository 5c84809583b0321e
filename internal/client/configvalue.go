package client

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// ConfigValue is a value of a run config as text. In JSON it may also be a number or a boolean, as it is in an app's pyproject.toml; a
// number
// keeps the digits that it is written with. It is written as text.
type ConfigValue string

// UnmarshalJSON reads a text, number or boolean.
func (v *ConfigValue) UnmarshalJSON(text []byte) error {
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, (*string)(v))
	}
	if len(text) == 0 || text[0] == '{' || text[0] == '[' || text[0] == 'n' {
		return fmt.Errorf("%s is not a text, number or boolean", text)
	}
	*v = ConfigValue(text)
	return nil
}

// ConfigTexts returns values as texts.
func ConfigTexts(in map[string]ConfigValue) map[string]string {
	if in == nil {
		return nil
	}
	out := make(map[string]string, len(in))
	for k, v := range in {
		out[k] = string(v)
	}
	return out
}
