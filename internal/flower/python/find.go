package python

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// candidates are the names looked up on PATH. The first that is new enough is taken; 3.11 to 3.13 are what the lock is
// tested with, so they come before whatever "python3" is.
var candidates = []string{"python3.13", "python3.12", "python3.11", "python3", "python"}

// interpreter is a Python that works.
type interpreter struct {
	path    string
	version string
	venv    bool // has the venv and ensurepip modules
}

// find returns a Python 3.11 or newer: the named one, or the first on PATH.
func find(ctx context.Context, named string) (interpreter, error) {
	if named != "" {
		p, err := probe(ctx, named)
		if err != nil {
			return p, domain.Errorf(domain.Unavailable, "The Python %s does not work.", named).
				Fix("Set --python (BLOSSOMTUNE_PYTHON) to a Python 3.11 or newer, or leave it empty.").Because(err)
		}
		if !newEnough(p.version) {
			return p, domain.Errorf(domain.Unavailable, "The Python %s is version %s; Flower needs 3.11 or newer.", named, p.version).
				Fix("Set --python (BLOSSOMTUNE_PYTHON) to a newer one, or leave it empty.")
		}
		return p, nil
	}
	var old []string
	for _, name := range candidates {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		p, err := probe(ctx, path)
		if ctx.Err() != nil {
			return p, ctx.Err()
		}
		if err != nil {
			continue // such as a version manager's shim for a version that is not installed
		}
		if newEnough(p.version) {
			return p, nil
		}
		old = append(old, fmt.Sprintf("%s is %s", path, p.version))
	}
	e := domain.Errorf(domain.Unavailable, "There is no Python 3.11 or newer on PATH.")
	if len(old) > 0 {
		e = domain.Errorf(domain.Unavailable, "There is no Python 3.11 or newer on PATH: %s.", strings.Join(old, ", "))
	}
	return interpreter{}, e.Fix("Install one (Debian, Ubuntu: apt install python3 python3-venv; Fedora: dnf install python3; macOS: brew " +
		"install python@3.12), or name one with BLOSSOMTUNE_PYTHON.")
}

// Find returns the Python that [Ensure] would make an environment with: the named one, or the first on PATH that is new enough.
func Find(ctx context.Context, named string) (path, version string, err error) {
	p, err := find(ctx, named)
	return p.path, p.version, err
}

const probeScript = `import sys, importlib.util as u
print("%d.%d.%d" % sys.version_info[:3])
print(getattr(sys, "_base_executable", None) or sys.executable)
print(int(u.find_spec("venv") is not None and u.find_spec("ensurepip") is not None))`

func probe(ctx context.Context, path string) (interpreter, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-I", "-c", probeScript)
	cmd.Env = append(passed(), "PATH="+os.Getenv("PATH"))
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return interpreter{}, fmt.Errorf("running %s: %w", path, err)
	}
	lines := strings.Split(strings.ReplaceAll(strings.TrimSpace(string(out)), "\r", ""), "\n")
	if len(lines) != 3 {
		return interpreter{}, fmt.Errorf("%s does not answer like a Python", path)
	}
	return interpreter{path: lines[1], version: lines[0], venv: lines[2] == "1"}, nil
}

func newEnough(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, _ := strconv.Atoi(major)
	b, _ := strconv.Atoi(minor)
	return a == 3 && b >= 11
}
