package api

import (
	"net/http"
	"reflect"
	"strings"

	"blossomtune/internal/domain"
)

// checkAddress refuses a path or query that the database cannot hold as text.
func checkAddress(r *http.Request) error {
	if err := domain.CheckText("path", r.URL.Path); err != nil {
		return err
	}
	for key, values := range r.URL.Query() {
		if !domain.Storable(key) {
			return domain.CheckText("query", key)
		}
		for _, v := range values {
			if err := domain.CheckText("query."+key, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkTexts refuses an operation's input that has a text the database cannot hold; every text of the path, query, headers and body is
// looked at. Bytes are no text: an uploaded file passes.
func checkTexts(in any) error { return walkTexts("", reflect.ValueOf(in)) }

func walkTexts(field string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		return domain.CheckText(field, v.String())
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return walkTexts(field, v.Elem())
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return nil
		}
		for i := range v.Len() {
			if err := walkTexts(field, v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := walkTexts(field, it.Key()); err != nil {
				return err
			}
			if err := walkTexts(field, it.Value()); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			if err := walkTexts(fieldName(field, f), v.Field(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// fieldName is a field as the caller knows it: "body.emails", "path.run".
func fieldName(parent string, f reflect.StructField) string {
	name := ""
	for _, tag := range []string{"json", "path", "query", "header", "cookie"} {
		if given, _, _ := strings.Cut(f.Tag.Get(tag), ","); given != "" && given != "-" {
			name = given
			break
		}
	}
	switch {
	case f.Anonymous && name == "":
		return parent
	case name == "":
		name = strings.ToLower(f.Name)
	}
	if parent == "" {
		return name
	}
	return parent + "." + name
}
