// Package apidoc reads an OpenAPI 3.1 description and turns it into what the page /api shows: operations by resource, each with flat lists
// of its parameters and of the fields that it takes and returns. It knows neither the API nor the page.
package apidoc

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Group is the operations of one resource.
type Group struct {
	Name       string
	Operations []Operation // by path, then by method
}

// Operation is one operation.
type Operation struct {
	ID, Method, Path, Summary, Description string

	Who        string  // who may call it, in words
	Parameters []Field // in the path, the query and headers
	Takes      Body
	Returns    Body
}

// Body is what a request or an answer contains.
type Body struct {
	Kind   string  // such as "object", "list of objects" or "application/zip"; empty: nothing
	Fields []Field // of the object, or of each one in the list
}

// Field is a parameter or a field. One inside another has its path as name, such as "limits.minutes"; [] stands for each entry of a list.
type Field struct {
	Name, Type, Meaning string
	In                  string // of a parameter: path, query or header
	Required            bool
}

// places are where parameters are, in the order in which they are listed.
var places = []string{"path", "query", "header", "cookie"}

// maxDepth bounds how far fields inside fields are listed.
const maxDepth = 4

// Read reads a description. Operations without a tag are in the group "other".
func Read(text []byte) ([]Group, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("reading the description of the API: %w", err)
	}
	byTag := map[string][]Operation{}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			o, ok := d.Paths[path][method]
			if !ok {
				continue
			}
			tag := "other"
			if len(o.Tags) > 0 {
				tag = o.Tags[0]
			}
			byTag[tag] = append(byTag[tag], d.operation(path, method, o))
		}
	}
	var out []Group
	for _, tag := range slices.Sorted(maps.Keys(byTag)) {
		out = append(out, Group{Name: tag, Operations: byTag[tag]})
	}
	return out, nil
}

func (d document) operation(path, method string, o operation) Operation {
	out := Operation{ID: o.OperationID, Method: strings.ToUpper(method), Path: path, Summary: o.Summary, Description: o.Description,
		Who: who(o.Security)}
	for _, p := range o.Parameters {
		f := d.field(p.Name, p.Schema)
		f.In, f.Required, f.Meaning = p.In, p.Required, join(cmp.Or(p.Description, p.Schema.Description), limits(p.Schema))
		out.Parameters = append(out.Parameters, f)
	}
	slices.SortStableFunc(out.Parameters, func(a, b Field) int {
		return cmp.Compare(slices.Index(places, a.In), slices.Index(places, b.In))
	})
	if o.RequestBody != nil {
		out.Takes = d.body(o.RequestBody.Content)
	}
	for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
		if strings.HasPrefix(status, "2") {
			out.Returns = d.body(o.Responses[status].Content)
			break
		}
	}
	return out
}

func who(security []map[string][]string) string {
	if len(security) == 0 {
		return "Anyone"
	}
	if _, node := security[0]["node"]; node {
		return "A SuperNode, with its key"
	}
	return "Signed-in people, with a token or in a browser"
}

func (d document) body(content map[string]media) Body {
	kinds := slices.Sorted(maps.Keys(content))
	if len(kinds) == 0 {
		return Body{}
	}
	if kinds[0] != "application/json" {
		return Body{Kind: kinds[0]}
	}
	s := d.resolve(content[kinds[0]].Schema)
	b := Body{Kind: d.typeOf(s)}
	if s.Items != nil {
		s = d.resolve(*s.Items)
	}
	b.Fields = d.fields("", s, 0)
	return b
}

// fields lists the fields of an object, those inside them after each.
func (d document) fields(prefix string, s schema, depth int) (out []Field) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if name == "$schema" {
			continue
		}
		f := d.field(prefix+name, s.Properties[name])
		f.Required = slices.Contains(s.Required, name)
		out = append(out, f)
		inner, at := d.resolve(s.Properties[name]), prefix+name
		if inner.Items != nil {
			inner, at = d.resolve(*inner.Items), at+"[]"
		}
		if depth+1 < maxDepth {
			out = append(out, d.fields(at+".", inner, depth+1)...)
		}
	}
	return out
}

func (d document) field(name string, s schema) Field {
	return Field{Name: name, Type: d.typeOf(s), Meaning: join(s.Description, limits(d.resolve(s)))}
}

// resolve follows a reference to a named schema.
func (d document) resolve(s schema) schema {
	for range maxDepth {
		name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/")
		if !ok {
			break
		}
		s = d.Components.Schemas[name]
	}
	return s
}

// typeOf returns the JSON type in words.
func (d document) typeOf(s schema) string {
	s = d.resolve(s)
	var names []string
	for _, t := range s.Type {
		switch {
		case t == "null":
			continue
		case t == "array" && s.Items != nil:
			t = "list of " + d.typeOf(*s.Items) + "s"
		case s.Format == "date-time":
			t = "time"
		}
		names = append(names, t)
	}
	if len(names) == 0 {
		return "any"
	}
	return strings.Join(names, " or ")
}

// limits says what values a field takes.
func limits(s schema) string {
	var out []string
	if len(s.Enum) > 0 {
		values := make([]string, 0, len(s.Enum))
		for _, v := range s.Enum {
			values = append(values, fmt.Sprint(v))
		}
		out = append(out, "One of "+strings.Join(values, ", "))
	}
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		out = append(out, fmt.Sprintf("%v to %v", *s.Minimum, *s.Maximum))
	case s.Minimum != nil:
		out = append(out, fmt.Sprintf("At least %v", *s.Minimum))
	case s.Maximum != nil:
		out = append(out, fmt.Sprintf("At most %v", *s.Maximum))
	}
	if s.MaxLength != nil {
		out = append(out, fmt.Sprintf("At most %d characters", *s.MaxLength))
	}
	if s.Default != nil {
		out = append(out, fmt.Sprintf("Default %v", s.Default))
	}
	return join(out...)
}

// join makes sentences of what is there.
func join(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, strings.TrimSuffix(p, ".")+".")
		}
	}
	return strings.Join(out, " ")
}
