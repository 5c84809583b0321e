package python

import (
	"path/filepath"
	"slices"
)

// Installation returns the files and folders of the Python that a venv was made from, the venv itself left out. Those below /usr are left
// out too: every program can read them.
func Installation(venv string) []string {
	var out []string
	for _, name := range []string{"python", "python3"} {
		program := binPath(venv, name)
		real, err := filepath.EvalSymlinks(program)
		if err != nil {
			continue
		}
		// Python finds its library by the path that pyvenv.cfg names, which may have symbolic links in it.
		home, _, _ := pyvenv(venv)
		for _, bin := range []string{filepath.Dir(real), home} {
			prefix := filepath.Dir(bin)
			if bin == "" || prefix == "/" || prefix == "/usr" {
				continue
			}
			for _, pattern := range []string{"bin/python*", "lib/python3*", "lib64/python3*", "lib/lib*", "lib64/lib*", "include", "ssl",
				"share/terminfo", "lib/tcl*", "lib/tk*"} {
				found, _ := filepath.Glob(filepath.Join(prefix, pattern)) // the patterns are sound
				out = append(out, found...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
