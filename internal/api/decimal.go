package api

import "github.com/danielgtaylor/huma/v2"

// decimalID describes [client.DecimalID], which cannot know of the framework.
type decimalID uint64

// configValue describes [client.ConfigValue].
type configValue string

// Schema describes a text, number or boolean.
func (configValue) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}, {Type: huma.TypeBoolean}},
		Examples: []any{"0.01"}}
}

// Schema describes the text.
func (decimalID) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9]{1,20}$", Examples: []any{"17893246716043857652"}}
}
