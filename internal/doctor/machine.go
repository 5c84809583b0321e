//go:build !participant

package doctor

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"blossomtune/apps"
	"blossomtune/internal/flower/python"
)

const importWithin = 30 * time.Second // for a start of Python, or a first import, from a slow disk

// python checks the Python that environments are made with, and the environment itself.
func (s server) python(ctx context.Context) []Finding {
	const part = "Python"
	finding, cancel := context.WithTimeout(ctx, importWithin)
	defer cancel()
	path, version, err := s.find(finding, s.c.Python)
	if finding.Err() != nil {
		return []Finding{Warn(part, "Try again when the machine is less busy.", "Python did not respond within %s.", importWithin)}
	}
	if err != nil {
		return []Finding{failed(part, err)}
	}
	return []Finding{Good(part, "%s (%s).", path, version), s.flwr(ctx)}
}

// flwr checks that Flower can be imported in the server's environment.
func (s server) flwr(ctx context.Context) Finding {
	const part = "flwr"
	dir := filepath.Join(s.c.Data, "python")
	env, found, err := python.Made(dir, apps.Requirements)
	if err != nil {
		return Bad(part, "Delete "+dir+" and restart the server, which installs Flower again.", "The Python environment is broken: %v", err)
	}
	if !found {
		return Warn(part, "Start the server, which installs Flower. It needs access to a package index.", "Flower is not installed yet.")
	}
	interpreter := filepath.Join(env.Dir, "bin", "python")
	if runtime.GOOS == "windows" {
		interpreter = filepath.Join(env.Dir, "Scripts", "python.exe")
	}
	if err := s.imports(ctx, interpreter); err != nil {
		return Bad(part, "Delete "+env.Dir+" and restart the server, which installs Flower again.", "Flower %s cannot be imported: %v",
			env.FlwrVersion, err)
	}
	return Good(part, "flwr %s with Python %s.", env.FlwrVersion, env.PythonVersion)
}

// imports imports Flower. The error is the last line that Python printed.
func imports(ctx context.Context, interpreter string) error {
	ctx, cancel := context.WithTimeout(ctx, importWithin)
	defer cancel()
	out, err := exec.CommandContext(ctx, interpreter, "-I", "-c", "import flwr.app, flwr.serverapp").CombinedOutput()
	if err == nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return fmt.Errorf("%s (%w)", lines[len(lines)-1], err)
}

// sandbox checks how apps can be contained.
func (s server) sandbox(context.Context) []Finding {
	const part = "containment"
	r := s.contained()
	switch {
	case r.Landlock == 0 && r.System == "linux":
		return []Finding{Warn(part, "Enable Landlock in the kernel (boot with lsm=landlock,… or update to Linux 6.12 or newer).",
			"The kernel does not offer Landlock, so apps cannot be contained. Only admins can add app versions.")}
	case !r.Floor():
		return []Finding{Warn(part, "Run the server on Linux 6.12 or newer. Until then only admins can add app versions.",
			"Apps cannot be contained on this machine: %s", r.Reason)}
	case !r.Namespaces:
		return []Finding{Good(part, "Apps are contained (Landlock %d, seccomp), without namespaces: %s", r.Landlock, r.Reason)}
	}
	return []Finding{Good(part, "Apps are contained (Landlock %d, seccomp, namespaces).", r.Landlock)}
}
