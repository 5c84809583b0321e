package api

import "github.com/danielgtaylor/huma/v2"

// decimalID describes [client.DecimalID], which cannot know of the framework.
type decimalID uint64

// Schema describes the text.
func (decimalID) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9]{1,20}$", Examples: []any{"17893246716043857652"}}
}
