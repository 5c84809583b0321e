package catalog

import (
	"strings"

	"github.com/pelletier/go-toml/v2"
)

const (
	maxTOMLDepth = 16 // nested arrays and tables; also the parts of a dotted key
	maxTOMLKeys  = 20_000
)

// decodeTOML reads a text of an outsider. The decoder's time grows with the square of a key's depth, and its stack with the depth of a
// value, so both are bounded first.
func decodeTOML(text []byte, into any) error {
	if err := checkTOMLShape(string(text)); err != nil {
		return err
	}
	return toml.Unmarshal(text, into)
}

// checkTOMLShape returns an error where text nests deeper, or has more keys, than an app's file ever does. It looks at the brackets,
// dots and equals signs outside strings and comments; whether the text is valid TOML is the decoder's to say.
func checkTOMLShape(text string) error {
	depth, dots, keys := 0, 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '#':
			if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
				i += n - 1
			} else {
				return nil
			}
		case '"', '\'':
			i = stringEnd(text, i)
		case '[', '{':
			depth, dots = depth+1, 0
		case ']', '}':
			depth, dots = max(depth-1, 0), 0
		case '.':
			dots++
		case '=':
			keys++
			dots = 0
		case ',', '\n':
			dots = 0
		}
		switch {
		case depth > maxTOMLDepth || dots > maxTOMLDepth:
			return invalid("It nests tables or arrays more than %d levels deep.", maxTOMLDepth)
		case keys > maxTOMLKeys:
			return invalid("It has more than %d keys.", maxTOMLKeys)
		}
	}
	return nil
}

// stringEnd returns the index of the last byte of the string that begins at i.
func stringEnd(text string, i int) int {
	quote := text[i : i+1]
	if long := strings.Repeat(quote, 3); strings.HasPrefix(text[i:], long) {
		quote = long
	}
	for j := i + len(quote); j < len(text); j++ {
		switch {
		case text[j] == '\\' && quote[0] == '"':
			j++
		case text[j] == '\n' && len(quote) == 1:
			return j - 1 // a string of one line that never ends
		case strings.HasPrefix(text[j:], quote):
			return j + len(quote) - 1
		}
	}
	return len(text)
}
