package apphost_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blossomtune/internal/flower/apphost"
)

// looks tells at the end of a process what it can reach.
const looks = `
import atexit, os, pathlib

def look():
    for name in ("OUTSIDE", "DATA"):
        path = pathlib.Path(os.environ[name])
        try:
            print("read", name, path.read_text())
        except OSError as err:
            print("read", name, type(err).__name__)
        try:
            os.close(os.open(path, os.O_WRONLY))
            print("change", name, "yes")
        except OSError as err:
            print("change", name, type(err).__name__)
    try:
        open(os.path.join(os.path.dirname(__file__), "more.pth"), "w").close()
        print("change packages yes")
    except OSError as err:
        print("change packages", type(err).__name__)
    pathlib.Path("note").write_text("x")
    print("work", os.getcwd(), os.environ["HOME"], os.environ["TMPDIR"], os.environ["FLWR_HOME"], os.environ.get("UV_SECRET"))
atexit.register(look)
`

// A process in a room, forked or started, reads its data and its packages, changes its own folders only, and two rooms never share a
// template.
func TestARoomHoldsItsProcesses(t *testing.T) {
	t.Setenv("UV_SECRET", "x")
	app := local(t, looks, "app_module/__init__.py", "import probe\n")
	for name, templates := range map[string]int{"from templates": 2} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name string) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			p := pool(t, t.TempDir(), func(o *apphost.Options) { o.MaxTemplates = templates })
			r := prepare(t, p, app)
			env := []string{"OUTSIDE=" + write("outside"), "DATA=" + write("data")}
			for _, n := range []string{"one", "two"} {
				room := &apphost.Room{Dir: filepath.Join(dir, n), Read: []string{filepath.Join(dir, "data")}, Port: 1}
				if err := room.Make(); err != nil {
					t.Fatal(err)
				}
				r.Enter(room)
				exit, out := start(t, p, r, apphost.ClientApp, env, "--help")
				work := strings.Join([]string{room.Path("work"), room.Path("home"), room.Path("tmp"), room.Path("flwr_home"), "None"}, " ")
				for _, want := range []string{"read DATA data", "work " + work} {
					if !strings.Contains(out, want+"\n") {
						t.Errorf("%s, %s: %q is missing in\n%s", n, exit, want, out)
					}
				}
				for _, never := range []string{"read OUTSIDE outside", "change OUTSIDE yes", "change DATA yes", "change packages yes"} {
					if strings.Contains(out, never) {
						t.Errorf("%s: %s", n, out)
					}
				}
				if _, err := os.Stat(filepath.Join(room.Path("work"), "note")); err != nil {
					t.Error(err)
				}
			}
			r.Enter(nil) // the same app gets out where nothing holds it
			env = append(env, "HOME="+dir, "TMPDIR="+dir, "FLWR_HOME="+dir)
			if _, out := start(t, p, r, apphost.ClientApp, env, "--help"); !strings.Contains(out, "read OUTSIDE outside") || !strings.Contains(out, "change OUTSIDE yes") {
				t.Errorf("outside of a room: %s", out)
			}
		})
	}
}
