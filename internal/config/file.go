package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/site"
	"blossomtune/internal/tomltext"

	"github.com/pelletier/go-toml/v2"
)

// A configuration file is TOML. Its keys are the flags' names without the dashes in front; the table [site] holds the name, logo,
// colours and texts of [site.Fields]. A flag goes before the environment, that before the file, and the file before what admins
// set in the pages.

// maxFile bounds a configuration file.
const maxFile = 1 << 20

// entry is one key of the file.
type entry struct {
	key   string
	value any
	line  int
}

// LoadFile reads the file of --config into c, where neither a flag nor the environment gives a setting. It returns every error
// there is, each with the line, the key, the cause and what to do.
func (c *Config) LoadFile(given func(flag, env string) bool) error {
	if c.File == "" {
		return nil
	}
	entries, err := readFile(c.File)
	if err != nil {
		return err
	}
	f := &filler{path: c.File, given: given, all: c.flags(), c: c}
	c.Origins, c.Site = map[string]string{}, map[string]site.Given{}
	for _, e := range entries {
		f.take(e)
	}
	return f.errs.OrNil()
}

func readFile(path string) ([]entry, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, domain.Errorf(domain.Invalid, "The configuration file %s cannot be read.", path).
			Fix("Check the path in --config or BLOSSOMTUNE_CONFIG.").Because(err)
	}
	if info.IsDir() || info.Size() > maxFile {
		return nil, domain.Errorf(domain.Invalid, "%s is no configuration file: it is a directory, or larger than 1 MB.", path).
			Fix("Name a TOML file.")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, domain.Errorf(domain.Invalid, "The configuration file %s cannot be read.", path).
			Fix("Give this account the right to read it.").Because(err)
	}
	if fault := domain.EncodingFault(text); fault != "" && fault != domain.ByteOrderMark {
		return nil, domain.Errorf(domain.Invalid, "The configuration file %s %s.", path, fault).Fix("Save it as UTF-8.")
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // Notepad and PowerShell write it
	var values map[string]any
	if err := toml.Unmarshal(text, &values); err != nil {
		line, cause := tomltext.Fault(err)
		at := path
		if line > 0 {
			at = place(path, line)
		}
		return nil, domain.Errorf(domain.Invalid, "%s: this is not TOML: %s.", at, cause).
			Fix(`Write key = "value", one a line; texts go between quotes.`)
	}
	return flatten("", values, tomltext.Lines(text)), nil
}

// flatten lists the keys of tables within tables by their full names, in the order of the file.
func flatten(prefix string, values map[string]any, lines map[string]int) (out []entry) {
	for k, v := range values {
		if table, ok := v.(map[string]any); ok {
			out = append(out, flatten(prefix+k+".", table, lines)...)
			continue
		}
		out = append(out, entry{key: prefix + k, value: v, line: tomltext.LineOf(lines, prefix+k)})
	}
	slices.SortFunc(out, func(a, b entry) int {
		if a.line != b.line {
			return a.line - b.line
		}
		return strings.Compare(a.key, b.key)
	})
	return out
}

func place(path string, line int) string {
	return fmt.Sprintf("%s, line %d", filepath.Base(path), line)
}

// filler puts the entries of a file where they belong.
type filler struct {
	path  string
	given func(flag, env string) bool
	all   []flag
	c     *Config
	errs  domain.Errors
}

// refuse notes what is wrong with an entry, with its place.
func (f *filler) refuse(e entry, err *domain.Error) {
	err.Message = place(f.path, e.line) + ", " + e.key + ": " + err.Message
	f.errs = append(f.errs, err.At(e.key))
}

func (f *filler) take(e entry) {
	if key, ok := strings.CutPrefix(e.key, "site."); ok {
		f.takeSite(e, key)
		return
	}
	i := slices.IndexFunc(f.all, func(x flag) bool { return x.name == e.key })
	if i < 0 {
		f.refuse(e, unknownKey(e.key, f.all))
		return
	}
	x := f.all[i]
	if x.name == "config" {
		f.refuse(e, domain.Errorf(domain.Invalid, "A configuration file cannot name another.").Fix("Take the line out."))
		return
	}
	if f.given(x.name, x.env) {
		return
	}
	if err := x.set(e.value, filepath.Dir(f.path)); err != nil {
		f.refuse(e, err)
		return
	}
	f.c.Origins[x.name] = place(f.path, e.line)
}

func (f *filler) takeSite(e entry, key string) {
	text, ok := e.value.(string)
	if !ok {
		f.refuse(e, domain.Errorf(domain.Invalid, "This is no text.").Fix(`Write it between quotes: %s = "…".`, key))
		return
	}
	var err error
	if key == site.KeyLogo && text != "" {
		text, err = readLogo(text, filepath.Dir(f.path))
	}
	if err == nil {
		text, err = site.Check(key, text)
	}
	var e2 *domain.Error
	if errors.As(err, &e2) {
		if e2.Remedy == "" {
			e2 = e2.Fix("Change the value, or take the line out.")
		}
		f.refuse(e, e2)
		return
	}
	f.c.Site[key] = site.Given{Value: text, From: place(f.path, e.line)}
}

func readLogo(path, dir string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxFile {
		return "", domain.Errorf(domain.Invalid, "%s is larger than 128 kB.", path).Fix("Make the picture smaller.")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", domain.Errorf(domain.Invalid, "%s cannot be read.", path).
			Fix("Name an SVG or PNG file, beside this file or by its whole path.").Because(err)
	}
	return site.ReadLogo(data)
}

func unknownKey(key string, all []flag) *domain.Error {
	e := domain.Errorf(domain.Invalid, "There is no such setting.").
		Fix("`blossomtune serve --help` lists them; a key is a flag's name without its dashes. Names and texts of the site go below [site].")
	plain := strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(strings.TrimPrefix(key, "blossomtune_")))
	for _, x := range all {
		if strings.ReplaceAll(x.name, "-", "") == plain {
			e = e.Fix("Did you mean %s?", x.name)
		}
	}
	return e
}

// flag is one setting of the struct.
type flag struct {
	name, env, enum, kind string
	v                     reflect.Value
}

// flags lists the settings as the command line names them.
func (c *Config) flags() []flag { return flagsOf(reflect.ValueOf(c).Elem(), "", "") }

func flagsOf(v reflect.Value, prefix, envPrefix string) (out []flag) {
	for i := range v.NumField() {
		t := v.Type().Field(i)
		switch {
		case t.Tag.Get("kong") == "-":
		case t.Type.Kind() == reflect.Struct:
			out = append(out, flagsOf(v.Field(i), t.Tag.Get("prefix"), t.Tag.Get("envprefix"))...)
		default:
			name := t.Tag.Get("name")
			if name == "" {
				name = strings.ToLower(t.Name)
			}
			out = append(out, flag{name: prefix + name, env: envPrefix + t.Tag.Get("env"), enum: t.Tag.Get("enum"), kind: t.Tag.Get("type"),
				v: v.Field(i)})
		}
	}
	return out
}

// set takes a value of the file. Paths are meant from the file's directory.
func (x flag) set(value any, dir string) *domain.Error {
	switch p := x.v.Addr().Interface().(type) {
	case *string:
		text, ok := value.(string)
		if !ok {
			return domain.Errorf(domain.Invalid, "This is no text.").Fix(`Write it between quotes: %s = "…".`, x.name)
		}
		if x.enum != "" && !slices.Contains(strings.Split(x.enum, ","), text) {
			return domain.Errorf(domain.Invalid, "%q is not among the choices.", text).
				Fix("Choose one of %s.", strings.ReplaceAll(x.enum, ",", ", "))
		}
		*p = x.path(text, dir)
	case *bool:
		b, ok := value.(bool)
		if !ok {
			return domain.Errorf(domain.Invalid, "This is neither true nor false.").
				Fix("Write %s = true or %s = false, without quotes.", x.name, x.name)
		}
		*p = b
	case *int, *int64:
		n, ok := value.(int64)
		if !ok || n < 0 {
			return domain.Errorf(domain.Invalid, "This is no whole number.").Fix("Write it without quotes, like %s = 587.", x.name)
		}
		x.v.SetInt(n)
	case *time.Duration:
		text, _ := value.(string)
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return domain.Errorf(domain.Invalid, "This is no length of time.").Fix(`Write it like %s = "10s" or "2m".`, x.name)
		}
		*p = d
	case *[]string:
		list, ok := stringsOf(value)
		if !ok {
			return domain.Errorf(domain.Invalid, "This is no list of texts.").Fix(`Write it like %s = ["a", "b"].`, x.name)
		}
		for i := range list {
			list[i] = x.path(list[i], dir)
		}
		*p = list
	default:
		return domain.Errorf(domain.Internal, "Settings of this kind cannot come from a file: %T.", p)
	}
	return nil
}

func (x flag) path(text, dir string) string {
	if x.kind != "path" || text == "" || filepath.IsAbs(text) {
		return text
	}
	return filepath.Join(dir, text)
}

func stringsOf(value any) ([]string, bool) {
	if text, ok := value.(string); ok {
		return []string{text}, true
	}
	list, ok := value.([]any)
	out := make([]string, len(list))
	for i, v := range list {
		text, isText := v.(string)
		ok = ok && isText
		out[i] = text
	}
	return out, ok
}

// located says where a setting that cannot be used comes from: its flag, or the line of the file.
func (c *Config) located(err error) error {
	var e *domain.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	if from := c.Origins[e.Field]; from != "" {
		e.Message = from + ", " + e.Field + ": " + e.Message
	} else {
		e.Message = "--" + e.Field + ": " + e.Message
	}
	return e
}
