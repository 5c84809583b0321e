package apphost

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Limits of a FAB, in bytes. Flower's own limit is that of the whole.
const (
	maxFAB      = 10 << 20
	maxProject  = 1 << 20
	maxLock     = 10 << 20
	maxUnpacked = 64 << 20
	maxFiles    = 10_000
)

// project is what decides which packages an app needs.
type project struct {
	summary
	name     string
	python   string   // requires-python
	deps     []string // [project.dependencies]
	groups   []string // dependency groups that are installed by default
	lock     []byte   // uv.lock; nil without one
	uvConfig []byte   // uv.toml; nil without one
	text     []byte   // the pyproject.toml that uv gets
	sources  bool     // uv needs the app's other files too
}

// summary is what is remembered of a FAB.
type summary struct {
	hash     [sha256.Size]byte // of the FAB
	identity [sha256.Size]byte // of everything that decides which packages the app needs
	none     bool              // there is nothing to install for certain
}

// pyproject has the parts of a pyproject.toml that decide on dependencies. The rest is looked at in [project.text] only.
type pyproject struct {
	Project struct {
		Name           string   `toml:"name" json:"-"`
		RequiresPython string   `toml:"requires-python" json:"python,omitempty"`
		Dependencies   []string `toml:"dependencies" json:"dependencies,omitempty"`
		Dynamic        []string `toml:"dynamic" json:"dynamic,omitempty"`
	} `toml:"project" json:"project"`
	Groups map[string]any `toml:"dependency-groups" json:"groups,omitempty"`
	Tool   struct {
		UV map[string]any `toml:"uv" json:"uv,omitempty"`
	} `toml:"tool" json:"tool"`
}

// readProject reads a FAB without unpacking more than it needs.
func readProject(fab []byte) (*project, error) {
	if len(fab) > maxFAB {
		return nil, fmt.Errorf("the FAB has %d MB; Flower's limit is 10 MB", len(fab)>>20)
	}
	z, err := zip.NewReader(bytes.NewReader(fab), int64(len(fab)))
	if err != nil {
		return nil, fmt.Errorf("the FAB is not a ZIP file: %w", err)
	}
	text, err := readMember(z, "pyproject.toml", maxProject)
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, errors.New("the FAB has no pyproject.toml")
	}
	a := &project{summary: summary{hash: sha256.Sum256(fab)}}
	if a.lock, err = readMember(z, "uv.lock", maxLock); err != nil {
		return nil, err
	}
	if a.uvConfig, err = readMember(z, "uv.toml", maxProject); err != nil {
		return nil, err
	}
	return a, a.parse(text)
}

// readMember returns a file of the FAB; nil when there is none.
func readMember(z *zip.Reader, name string, limit int64) ([]byte, error) {
	i := slices.IndexFunc(z.File, func(f *zip.File) bool { return f.Name == name })
	if i < 0 {
		return nil, nil
	}
	f, err := z.File[i].Open()
	if err != nil {
		return nil, fmt.Errorf("reading %s of the FAB: %w", name, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s of the FAB: %w", name, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s of the FAB is larger than %d MB", name, limit>>20)
	}
	return b, nil
}

func (a *project) parse(text []byte) error {
	var p pyproject
	var whole map[string]any
	if err := errors.Join(toml.Unmarshal(text, &p), toml.Unmarshal(text, &whole)); err != nil {
		return fmt.Errorf("the FAB's pyproject.toml is not valid: %w", err)
	}
	delete(p.Tool.UV, "pip") // settings of `uv pip`, which Flower does not run: they could move what we install
	if tool, ok := whole["tool"].(map[string]any); ok {
		if uv, ok := tool["uv"].(map[string]any); ok {
			delete(uv, "pip")
		}
	}
	a.name, a.python, a.deps = p.Project.Name, p.Project.RequiresPython, p.Project.Dependencies
	a.groups = defaultGroups(p)
	a.sources = slices.Contains(p.Project.Dynamic, "dependencies") || localSources(p.Tool.UV)
	a.none = a.onlyFlwr()
	var err error
	if a.text, err = toml.Marshal(whole); err != nil {
		return fmt.Errorf("writing pyproject.toml: %w", err)
	}
	a.identity, err = a.identify(p)
	return err
}

// identify hashes what decides, whatever its form and order.
func (a *project) identify(p pyproject) (sum [sha256.Size]byte, err error) {
	deps := slices.Clone(a.deps)
	for i, d := range deps {
		deps[i] = strings.Join(strings.Fields(d), " ")
	}
	slices.Sort(deps)
	p.Project.Dependencies = deps
	text, err := json.Marshal(p) // maps come out sorted
	if err != nil {
		return sum, fmt.Errorf("normalizing pyproject.toml: %w", err)
	}
	h := sha256.New()
	for _, part := range [][]byte{text, a.lock, a.uvConfig} {
		fmt.Fprintf(h, "%d\n", len(part))
		h.Write(part)
	}
	if a.sources {
		h.Write(a.hash[:])
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// defaultGroups returns the dependency groups that `uv sync` installs when none is named.
func defaultGroups(p pyproject) []string {
	var groups []string
	switch v := p.Tool.UV["default-groups"].(type) {
	case string: // "all"
		for name := range p.Groups {
			groups = append(groups, name)
		}
		slices.Sort(groups)
	case []any:
		for _, name := range v {
			groups = append(groups, fmt.Sprint(name))
		}
	default:
		if _, ok := p.Groups["dev"]; ok {
			groups = []string{"dev"}
		}
	}
	return groups
}

// localSources reports whether a dependency comes from the app's own files.
func localSources(uv map[string]any) bool {
	if uv["workspace"] != nil {
		return true
	}
	text, _ := json.Marshal(uv["sources"])
	return bytes.Contains(text, []byte(`"path":`)) || bytes.Contains(text, []byte(`"workspace":`))
}

var flwrRequirement = regexp.MustCompile(`(?i)^flwr\s*(?:\[([^\]]*)\])?\s*(?:$|[<>=!~;@(])`)

// flwrExtras returns the extras of flwr that the app asks for.
func (a *project) flwrExtras() []string {
	var extras []string
	for _, d := range a.deps {
		if m := flwrRequirement.FindStringSubmatch(d); m != nil {
			for e := range strings.SplitSeq(m[1], ",") {
				if e = strings.TrimSpace(e); e != "" {
					extras = append(extras, e)
				}
			}
		}
	}
	slices.Sort(extras)
	return slices.Compact(extras)
}

// namesFlwr reports whether the app itself requires flwr.
func (a *project) namesFlwr() bool {
	return slices.ContainsFunc(a.deps, flwrRequirement.MatchString)
}

// onlyFlwr reports whether there is nothing to install for certain.
func (a *project) onlyFlwr() bool {
	return a.lock == nil && !a.sources && len(a.groups) == 0 && len(a.flwrExtras()) == 0 &&
		!slices.ContainsFunc(a.deps, func(d string) bool { return !flwrRequirement.MatchString(d) })
}

// key names the environment of the app: everything that decides what is in it.
func (a summary) key(base string, install []string) string {
	h := sha256.New()
	fmt.Fprintf(h, "1\n%s\n%q\n", base, install)
	h.Write(a.identity[:])
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// unpack writes into dir what uv needs of the app.
func (a *project) unpack(fab []byte, dir string) error {
	if a.sources {
		if err := unpackAll(fab, dir); err != nil {
			return err
		}
	}
	for name, text := range map[string][]byte{"pyproject.toml": a.text, "uv.lock": a.lock, "uv.toml": a.uvConfig} {
		if text == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func unpackAll(fab []byte, dir string) error {
	z, err := zip.NewReader(bytes.NewReader(fab), int64(len(fab)))
	if err != nil {
		return err
	}
	if len(z.File) > maxFiles {
		return fmt.Errorf("the FAB has more than %d files", maxFiles)
	}
	left := int64(maxUnpacked)
	for _, f := range z.File {
		name := filepath.FromSlash(path.Clean(f.Name))
		if !filepath.IsLocal(name) || f.Mode().IsDir() {
			continue
		}
		b, err := readMember(z, f.Name, left)
		if err != nil {
			return err
		}
		left -= int64(len(b))
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, b, 0o600); err != nil {
			return err
		}
	}
	return nil
}
