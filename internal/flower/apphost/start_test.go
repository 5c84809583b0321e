package apphost_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/keeper"
)

// start runs a program to its end and returns what it printed.
func start(t testing.TB, p *apphost.Pool, r *apphost.Ready, prog apphost.Program, env []string, args ...string) (keeper.Exit, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "out.log")
	child, err := p.Start(r, prog, args, keeper.Fork{LogFile: log}, env)
	if err != nil {
		t.Fatal(err)
	}
	exit := child.Exit()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return exit, string(text)
}

func TestBothProgramsStart(t *testing.T) {
	for name, templates := range map[string]int{"from templates": 2, "by their own commands": -1} {
		t.Run(name, func(t *testing.T) {
			p := pool(t, t.TempDir(), func(o *apphost.Options) { o.MaxTemplates = templates })
			r := prepare(t, p, needs(t, "flwr"))
			for _, prog := range []apphost.Program{apphost.ClientApp, apphost.ServerApp} {
				p.Warm(r, prog)
				if exit, out := start(t, p, r, prog, nil, "--help"); exit.Code != 0 || !strings.Contains(out, "usage: "+string(prog)) {
					t.Errorf("%s --help: %s: %s", prog, exit, out)
				}
				if exit, out := start(t, p, r, prog, []string{"FLWR_HOME=/x"}, "--no-such-flag"); exit.Code != 2 {
					t.Errorf("%s --no-such-flag: %s: %s", prog, exit, out)
				}
			}
		})
	}
}
