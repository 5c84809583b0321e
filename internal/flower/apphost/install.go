package apphost

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// pin resolves the app's requirements to exact versions, together with the base's flwr. Versions of the app's lock and then those
// that the base has are preferred. It writes constraints.txt, and excluded.txt with the names of what the base has in just that version.
func (s *steps) pin(py string) (inBase bool, err error) {
	var had strings.Builder
	err = s.uv("listing the base's packages", func(line string) { had.WriteString(line + "\n") }, "pip", "freeze", "--quiet", "--python", py)
	if err != nil {
		return false, err
	}
	preferred := parsePins(had.String())
	if s.app.lock != nil {
		locked, err := s.locked(py)
		if err != nil {
			return false, err
		}
		preferred = preferred.with(locked)
	}
	if err := os.WriteFile(s.file("pins.txt"), []byte(preferred.String()), 0o600); err != nil {
		return false, err
	}
	compile := func() error {
		args := s.requirements("pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate", "--python", py, "--output-file",
			s.file("pins.txt"))
		return s.uv("resolving the app's dependencies", s.quiet, args...)
	}
	err = compile()
	if failed := (*BuildError)(nil); errors.As(err, &failed) && !s.app.namesFlwr() && failed.lacksFlwr() {
		// An index for this app's packages alone is enough: Flower is here already.
		if err := os.WriteFile(s.file("flwr.txt"), nil, 0o600); err != nil {
			return false, err
		}
		err = compile()
	}
	if err != nil {
		return false, err
	}
	text, err := os.ReadFile(s.file("pins.txt"))
	if err != nil {
		return false, err
	}
	inBase = true
	var excluded, constraints strings.Builder
	present := parsePins(had.String())
	for _, p := range parsePins(string(text)) {
		if p.name != "" {
			constraints.WriteString(p.text)
		}
		if present.has(p) {
			fmt.Fprintln(&excluded, p.name)
		} else {
			inBase = false
		}
	}
	return inBase, errors.Join(os.WriteFile(s.file("excluded.txt"), []byte(excluded.String()), 0o600),
		os.WriteFile(s.file("constraints.txt"), []byte(constraints.String()), 0o600))
}

// quiet drops the pins, which uv prints even when they go to a file.
func (s *steps) quiet(string) {}

// locked returns the versions that the app's uv.lock names for what the app itself needs, flwr's own dependencies left out.
func (s *steps) locked(py string) (pins, error) {
	args := []string{"export", "--quiet", "--prune", "flwr", "--no-emit-project", "--no-header", "--no-annotate", "--no-editable",
		"--python", py, "--output-file", s.file("locked.txt")}
	args = append(args, s.wheels()...)
	if err := s.uv("reading the app's uv.lock", s.quiet, args...); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(s.file("locked.txt"))
	return parsePins(string(text)), err
}

// install makes the venv.
func (s *steps) install() error {
	base := s.p.base
	if err := s.uv("making the venv", s.p.o.Progress, "venv", "--quiet", "--no-project", "--relocatable", "--python", base.env.Bin("python"),
		s.venv); err != nil {
		return err
	}
	py := base.env
	py.Dir = s.venv
	args := s.requirements("pip", "install", "--no-compile-bytecode", "--link-mode", "copy", "--python", py.Bin("python"), "--excludes",
		s.file("excluded.txt"), "--constraints", s.file("constraints.txt"))
	if err := s.uv("installing the app's packages", s.p.o.Progress, args...); err != nil {
		return err
	}
	site, err := sitePackages(s.venv)
	if err != nil {
		return err
	}
	// The base comes after the app's packages on sys.path, as in Flower's own installation.
	line := fmt.Sprintf("import site; site.addsitedir(%s)\n", pythonString(base.site))
	if err := os.WriteFile(filepath.Join(site, "blossomtune_base.pth"), []byte(line), 0o600); err != nil {
		return err
	}
	return s.compile(site)
}

// pythonString returns a literal of Python; both languages agree on the escapes that %+q writes.
func pythonString(s string) string { return fmt.Sprintf("%+q", s) }

// pin is one requirement of a lock, with its hashes.
type pin struct {
	name string // normalised; empty for a path
	spec string // "==1.2.3" or "@ https://…", without marker and hashes
	text string
}

type pins []pin

var pinLine = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*((?:==|@)[^;\\]*)`)

// parsePins reads requirements as uv writes them: one a line, its hashes on the indented lines after it.
func parsePins(text string) pins {
	var all pins
	for line := range strings.Lines(text) {
		m := pinLine.FindStringSubmatch(line)
		switch {
		case strings.TrimSpace(line) == "" || line[0] == '#':
		case line[0] == ' ':
			if len(all) > 0 {
				all[len(all)-1].text += line
			}
		case m == nil:
			all = append(all, pin{spec: strings.TrimSpace(line), text: line})
		default:
			spec, _, _ := strings.Cut(m[2], " --hash")
			all = append(all, pin{name: normalName(m[1]), spec: strings.TrimSpace(spec), text: line})
		}
	}
	return all
}

var separators = regexp.MustCompile(`[-_.]+`)

func normalName(s string) string { return strings.ToLower(separators.ReplaceAllString(s, "-")) }

func (ps pins) has(want pin) bool {
	return want.name != "" && slices.ContainsFunc(ps, func(p pin) bool { return p.name == want.name && p.spec == want.spec })
}

// with returns the pins with those of others in place of the same names.
func (ps pins) with(others pins) pins {
	return append(slices.Clone(others), slices.DeleteFunc(slices.Clone(ps), func(p pin) bool {
		return slices.ContainsFunc(others, func(o pin) bool { return o.name == p.name })
	})...)
}

// String returns the requirements that have a name.
func (ps pins) String() string {
	var b strings.Builder
	for _, p := range ps {
		if p.name != "" {
			b.WriteString(p.text)
		}
	}
	return b.String()
}
