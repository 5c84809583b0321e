package apphost

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// pin resolves the app's requirements to exact versions, together with the base's flwr. Versions of the app's lock and then those
// that the base has are preferred. It writes pins.txt, and excluded.txt with the names of what the base has in just that version.
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
	args := s.requirements("pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate", "--python", py, "--output-file", s.file("pins.txt"))
	if err := s.uv("resolving the app's dependencies", s.quiet, args...); err != nil {
		return false, err
	}
	text, err := os.ReadFile(s.file("pins.txt"))
	if err != nil {
		return false, err
	}
	inBase = true
	var excluded strings.Builder
	present := parsePins(had.String())
	for _, p := range parsePins(string(text)) {
		if present.has(p) {
			fmt.Fprintln(&excluded, p.name)
		} else {
			inBase = false
		}
	}
	return inBase, os.WriteFile(s.file("excluded.txt"), []byte(excluded.String()), 0o600)
}

// quiet drops the pins, which uv prints even when they go to a file.
func (s *steps) quiet(string) {}

// locked returns the versions that the app's uv.lock names for what the app itself needs, flwr's own dependencies left out.
func (s *steps) locked(py string) (pins, error) {
	args := []string{"export", "--quiet", "--prune", "flwr", "--no-emit-project", "--no-header", "--no-annotate", "--no-editable",
		"--python", py, "--output-file", s.file("locked.txt")}
	if err := s.uv("reading the app's uv.lock", s.quiet, args...); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(s.file("locked.txt"))
	return parsePins(string(text)), err
}

// install makes the venv.
func (s *steps) install() error {
	base := s.p.base
	if err := s.uv("making the venv", s.p.o.Progress, "venv", "--quiet", "--no-project", "--relocatable", "--python", base.env.Bin("python"), s.venv); err != nil {
		return err
	}
	py := base.env
	py.Dir = s.venv
	args := s.requirements("pip", "install", "--compile-bytecode", "--python", py.Bin("python"), "--excludes", s.file("excluded.txt"), "--constraints", s.file("pins.txt"))
	if err := s.uv("installing the app's packages", s.p.o.Progress, args...); err != nil {
		return err
	}
	site, err := sitePackages(s.venv)
	if err != nil {
		return err
	}
	// The base comes after the app's packages on sys.path, as in Flower's own installation.
	line := fmt.Sprintf("import site; site.addsitedir(%s)\n", pythonString(base.site))
	return os.WriteFile(filepath.Join(site, "blossomtune_base.pth"), []byte(line), 0o600)
}

// pythonString returns a literal of Python; both languages agree on the escapes that %+q writes.
func pythonString(s string) string { return fmt.Sprintf("%+q", s) }

// pin is one requirement of a lock, with its hashes.
type pin struct {
	name string // normalised
	spec string // "==1.2.3" or "@ https://…", without marker and hashes
	text string
}

type pins []pin

var pinLine = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*((?:==|@)[^;\\]*)`)

// parsePins reads requirements as uv writes them: one a line, hashes on the lines after it.
func parsePins(text string) pins {
	var all pins
	for line := range strings.Lines(text) {
		if m := pinLine.FindStringSubmatch(line); m != nil {
			spec := strings.TrimSpace(m[2])
			if at := strings.Index(spec, " --hash"); at >= 0 {
				spec = strings.TrimSpace(spec[:at])
			}
			all = append(all, pin{name: normalName(m[1]), spec: spec, text: line})
		} else if n := len(all); n > 0 && strings.HasPrefix(line, " ") && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			all[n-1].text += line
		}
	}
	return all
}

var separators = regexp.MustCompile(`[-_.]+`)

func normalName(s string) string { return strings.ToLower(separators.ReplaceAllString(s, "-")) }

func (ps pins) has(want pin) bool {
	for _, p := range ps {
		if p.name == want.name {
			return p.spec == want.spec
		}
	}
	return false
}

// with returns the pins with those of others in place of the same names.
func (ps pins) with(others pins) pins {
	named := map[string]bool{}
	for _, p := range others {
		named[p.name] = true
	}
	out := append(pins{}, others...)
	for _, p := range ps {
		if !named[p.name] {
			out = append(out, p)
		}
	}
	return out
}

func (ps pins) String() string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.text)
	}
	return b.String()
}
