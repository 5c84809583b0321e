package api

import "github.com/danielgtaylor/huma/v2"

// DecimalID is an id of Flower's. It may be larger than the numbers that JSON readers hold exactly, so it travels as a text of digits:
// a field of this type has the option string in its json tag.
type DecimalID uint64

// Schema describes the text.
func (DecimalID) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9]{1,20}$", Examples: []any{"17893246716043857652"}}
}
